#include "server/access/credentials.hpp"

#include <algorithm>
#include <array>

#include "common/words.hpp"
#include "server/access/token.hpp"

namespace larder {
namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

// RFC 4648, section 4. The padding may be missing; bits behind the last byte have to be 0.
std::optional<std::string> base64_decoded(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = value_of(c);
    if (value < 0) return std::nullopt;
    buffer = (buffer << 6) | static_cast<unsigned>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>((buffer >> bits) & 0xFF);
    buffer &= (1U << bits) - 1;
  }
  if (buffer != 0) return std::nullopt;
  return bytes;
}

// Spaces alone: a tab in credentials is a mistake.
std::string_view without_spaces(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<Credentials> parse_authorization(std::string_view field) {
  const auto blank = field.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = field.substr(0, blank);
  const std::string_view value = without_spaces(field.substr(blank));
  if (value.empty()) return std::nullopt;
  if (is_same_word(scheme, "bearer")) {
    if (has_control(value) || value.find_first_of(" ,") != std::string_view::npos) return std::nullopt;
    return Credentials("", std::string(value));
  }
  if (!is_same_word(scheme, "basic")) return std::nullopt;
  const auto decoded = base64_decoded(value);
  if (!decoded || has_control(*decoded)) return std::nullopt;
  const auto colon = decoded->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Credentials(decoded->substr(0, colon), decoded->substr(colon + 1));
}

bool is_anonymous_user(std::string_view user) {
  return is_same_word(user, "anonymous") || is_same_word(user, "ftp");
}

bool is_anonymous(const Credentials& credentials) {
  return is_anonymous_user(credentials.user) && !token_id(credentials.secret);
}

}  // namespace larder
