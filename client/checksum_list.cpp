#include "client/checksum_list.hpp"

#include <optional>

namespace larder::client {
namespace {

// sha256sum writes \n and \\ for a line feed and a backslash in a name.
std::string unescaped(std::string_view name) {
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\\' && i + 1 < name.size()) {
      const char next = name[++i];
      plain += next == 'n' ? '\n' : next == 'r' ? '\r' : next;
    } else {
      plain += name[i];
    }
  }
  return plain;
}

std::optional<Checksum> parse_line(std::string_view line) {
  const bool escaped = line.starts_with('\\');
  if (escaped) line.remove_prefix(1);
  std::string_view name;
  std::string_view hex;
  constexpr std::string_view k_tagged = "SHA256 (";
  constexpr std::string_view k_equals = ") = ";
  constexpr std::size_t k_hex = 2 * Digest::k_bytes;
  if (line.starts_with(k_tagged)) {
    const auto end = line.rfind(k_equals);
    if (end == std::string_view::npos || end < k_tagged.size()) return std::nullopt;
    name = line.substr(k_tagged.size(), end - k_tagged.size());
    hex = line.substr(end + k_equals.size());
  } else {
    if (line.size() < k_hex + 3 || line[k_hex] != ' ') return std::nullopt;
    const char mark = line[k_hex + 1];
    if (mark != ' ' && mark != '*') return std::nullopt;
    hex = line.substr(0, k_hex);
    name = line.substr(k_hex + 2);
  }
  const auto digest = Digest::from_hex(hex);
  while (name.starts_with("./")) name.remove_prefix(2);
  if (!digest || name.empty()) return std::nullopt;
  return Checksum{escaped ? unescaped(name) : std::string(name), *digest};
}

}  // namespace

Result<std::vector<Checksum>> parse_checksums(std::string_view text) {
  std::vector<Checksum> checksums;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    auto checksum = parse_line(line);
    if (!checksum)
      return Error(Errc::invalid_argument, "line " + std::to_string(number) + " is no line of sha256sum: '" +
                                               std::string(line) + "'");
    checksums.push_back(std::move(*checksum));
  }
  return checksums;
}

}  // namespace larder::client
