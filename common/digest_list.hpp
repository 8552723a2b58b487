// The names of a namespace with their digests, as text, one a line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/digest.hpp"

namespace larder {

namespace api {
// GET ?namespace=NS; gzip when accepted. Answer: text/plain, "PATH<tab>SHA256HEX<tab>SIZE" a line,
// sorted by path as bytes. No name holds a tab or a line feed.
inline constexpr std::string_view k_digests = "/-/v1/digests";
}  // namespace api

// A file as a tree or a namespace lists it.
struct ListedFile {
  std::string path;
  Digest digest;
  std::uint64_t size = 0;
  bool operator==(const ListedFile&) const = default;
};

void append_digest_line(std::string& text, std::string_view path, const Digest& digest, std::uint64_t size);
// Without its line feed; nothing for what is no such line.
std::optional<ListedFile> parse_digest_line(std::string_view line);

}  // namespace larder
