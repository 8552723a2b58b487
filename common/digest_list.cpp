#include "common/digest_list.hpp"

#include <charconv>

namespace larder {

void append_digest_line(std::string& text, std::string_view path, const Digest& digest, std::uint64_t size) {
  text.append(path).append("\t").append(digest.hex()).append("\t").append(std::to_string(size)).append("\n");
}

std::optional<ListedFile> parse_digest_line(std::string_view line) {
  const auto first = line.find('\t');
  const auto second = first == std::string_view::npos ? first : line.find('\t', first + 1);
  if (second == std::string_view::npos || first == 0) return std::nullopt;
  const auto digest = Digest::from_hex(line.substr(first + 1, second - first - 1));
  const std::string_view size = line.substr(second + 1);
  ListedFile file;
  const auto [end, failure] = std::from_chars(size.data(), size.data() + size.size(), file.size);
  if (!digest || failure != std::errc() || end != size.data() + size.size()) return std::nullopt;
  file.path = line.substr(0, first);
  file.digest = *digest;
  return file;
}

}  // namespace larder
