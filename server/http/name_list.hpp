// Lists of names as text, one a line: what find-missing is asked.
#pragma once

#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "server/store/store.hpp"

namespace larder::http {

// "PATH" or "PATH<tab>SHA256HEX" a line; a carriage return before the line feed
// and empty lines are passed over. Errc::invalid_argument names the line.
Result<std::vector<Store::Wanted>> parse_wanted(std::string_view text);

}  // namespace larder::http
