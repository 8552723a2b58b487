#include "client/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace larder::client {

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string left(std::string_view text, std::size_t width) {
  std::string out(text);
  if (out.size() < width) out.append(width - out.size(), ' ');
  return out;
}

std::string right(std::string_view text, std::size_t width) {
  if (text.size() >= width) return std::string(text);
  return std::string(width - text.size(), ' ').append(text);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.1f %%",
                100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return buffer.data();
}

std::string local_time(std::int64_t unix_seconds) {
  if (unix_seconds == 0) return "-";
  const std::time_t time = unix_seconds;
  std::tm parts = {};
  if (::localtime_r(&time, &parts) == nullptr) return "-";
  std::array<char, 64> buffer;
  const std::size_t length = std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M", &parts);
  return {buffer.data(), length};
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return out;
}

}  // namespace larder::client
