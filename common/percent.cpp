#include "common/percent.hpp"

namespace larder {
namespace {

bool stays(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c == '_' || c == '.' || c == '-' || c == '~' || c == '/';
}

int value_of_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string percent_encode(std::string_view path) {
  constexpr char k_digits[] = "0123456789ABCDEF";
  std::string text;
  text.reserve(path.size() + 16);
  for (const char c : path) {
    if (stays(c)) {
      text.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    text.push_back('%');
    text.push_back(k_digits[byte >> 4]);
    text.push_back(k_digits[byte & 15]);
  }
  return text;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded(text.size(), '\0');  // never longer than what it decodes
  char* to = decoded.data();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      *to++ = text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = value_of_hex(text[i + 1]);
    const int low = value_of_hex(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    *to++ = static_cast<char>(high * 16 + low);
    i += 2;
  }
  decoded.resize(static_cast<std::size_t>(to - decoded.data()));
  return decoded;
}

}  // namespace larder
