// Lists of names as text, one a line: what find-missing is asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/digest.hpp"
#include "common/result.hpp"

namespace larder {

// At the top of every namespace: the list of its names. No artifact can be called so.
inline constexpr std::string_view k_name_list = "index.txt";

// Each takes some hundred bytes while it is looked up, however short it is.
inline constexpr std::size_t k_most_wanted = 500'000;

// A name somebody asks for.
struct WantedName {
  std::string path;              // below the namespace
  std::optional<Digest> digest;  // other bytes under the name count as missing
};

// "PATH" or "PATH<tab>SHA256HEX" a line; a carriage return before the line feed
// and empty lines are passed over. Errc::invalid_argument names the line;
// Errc::too_large for more than k_most_wanted of them.
Result<std::vector<WantedName>> parse_wanted(std::string_view text);

}  // namespace larder
