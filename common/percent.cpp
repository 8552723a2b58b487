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
  std::string decoded;
  decoded.reserve(text.size());
  while (true) {
    const auto percent = text.find('%');
    decoded.append(text.substr(0, percent));
    if (percent == std::string_view::npos) return decoded;
    text.remove_prefix(percent);
    if (text.size() < 3) return std::nullopt;
    const int high = value_of_hex(text[1]);
    const int low = value_of_hex(text[2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    text.remove_prefix(3);
  }
}

}  // namespace larder
