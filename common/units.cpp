#include "common/units.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <optional>

namespace larder {
namespace {

constexpr std::uint64_t k_largest = std::uint64_t{1} << 63;  // no size or duration goes past it
constexpr std::uint64_t k_fraction = 1'000'000;              // six decimals are read, further ones ignored

// "1.5 GiB", taken apart.
struct Quantity {
  std::uint64_t whole = 0;
  std::uint64_t millionths = 0;
  std::string_view unit;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view take_digits(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  const std::string_view digits = text.substr(0, length);
  text.remove_prefix(length);
  return digits;
}

std::optional<std::uint64_t> whole_number(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (value > k_largest / 10) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::uint64_t millionths(std::string_view digits) {
  std::uint64_t value = 0;
  std::uint64_t weight = k_fraction;
  for (const char c : digits.substr(0, 6)) value += (weight /= 10) * static_cast<std::uint64_t>(c - '0');
  return value;
}

std::optional<Quantity> take_apart(std::string_view text) {
  const std::string_view digits = take_digits(text);
  const auto whole = whole_number(digits);
  if (digits.empty() || !whole) return std::nullopt;
  Quantity quantity{*whole, 0, {}};
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const std::string_view decimals = take_digits(text);
    if (decimals.empty()) return std::nullopt;
    quantity.millionths = millionths(decimals);
  }
  quantity.unit = text.substr(std::min(text.find_first_not_of(' '), text.size()));
  if (quantity.unit.empty() && !text.empty()) return std::nullopt;
  return quantity;
}

// quantity × unit, rounded down; nullopt past 2^63. `unit` is at most 2^43, so
// the fraction's product stays in range.
std::optional<std::uint64_t> multiplied(const Quantity& quantity, std::uint64_t unit) {
  if (quantity.whole > k_largest / unit) return std::nullopt;
  const std::uint64_t value = quantity.whole * unit + quantity.millionths * unit / k_fraction;
  if (value > k_largest) return std::nullopt;
  return value;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// 0 when `unit` is none.
std::uint64_t bytes_in(std::string_view unit) {
  const std::string name = lower(unit);
  if (name.empty() || name == "b") return 1;
  const auto power = std::string_view("kmgt").find(name.front());
  if (power == std::string_view::npos) return 0;
  const std::string_view rest = std::string_view(name).substr(1);
  if (!rest.empty() && rest != "ib" && rest != "b") return 0;
  std::uint64_t bytes = 1;
  for (std::size_t i = 0; i <= power; ++i) bytes *= rest == "b" ? 1000 : 1024;
  return bytes;
}

std::uint64_t milliseconds_in(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s") return 1000;
  if (unit == "m" || unit == "min") return 60'000;
  if (unit == "h") return 3'600'000;
  if (unit == "d") return 86'400'000;
  if (unit == "w") return 604'800'000;
  return 0;
}

Error no_size(std::string_view text) {
  return Error(Errc::invalid_argument,
               "'" + std::string(text) + "' is no size; write it like 512MiB, 200GiB or 1.5T");
}

Error no_duration(std::string_view text) {
  return Error(Errc::invalid_argument,
               "'" + std::string(text) + "' is no duration; write it like 90s, 12h or 14d");
}

std::string two_parts(std::uint64_t large, const char* large_unit, std::uint64_t small,
                      const char* small_unit, int width) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%llu %s %0*llu %s", static_cast<unsigned long long>(large),
                large_unit, width, static_cast<unsigned long long>(small), small_unit);
  return text.data();
}

// "1.5", from fifteen tenths.
std::string with_tenths(std::uint64_t tenths) {
  return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10);
}

}  // namespace

Result<ByteSize> parse_byte_size(std::string_view text) {
  const auto quantity = take_apart(text);
  if (!quantity) return no_size(text);
  const std::uint64_t unit = bytes_in(quantity->unit);
  if (unit == 0 || (unit == 1 && quantity->millionths != 0)) return no_size(text);
  const auto bytes = multiplied(*quantity, unit);
  if (!bytes)
    return Error(Errc::invalid_argument, "'" + std::string(text) + "' is more bytes than any disk has");
  return ByteSize{*bytes};
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t k_century = 36'500 * 86'400'000ULL;  // clocks count nanoseconds: 292 years at most
  if (text == "0") return std::chrono::milliseconds(0);
  const auto quantity = take_apart(text);
  if (!quantity) return no_duration(text);
  const std::uint64_t unit = milliseconds_in(quantity->unit);
  if (unit == 0) return no_duration(text);
  const auto milliseconds = multiplied(*quantity, unit);
  if (!milliseconds || *milliseconds > k_century)
    return Error(Errc::invalid_argument, "'" + std::string(text) + "' is longer than 36500d");
  return std::chrono::milliseconds(*milliseconds);
}

std::string human_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 4> k_units = {" KiB", " MiB", " GiB", " TiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  std::uint64_t unit = 1024;
  for (std::size_t i = 0;; ++i, unit *= 1024) {
    const std::uint64_t rest = bytes % unit;
    const std::uint64_t tenths = bytes / unit * 10 + (rest * 10 + unit / 2) / unit;
    const std::uint64_t rounded = bytes / unit + (rest >= unit / 2 ? 1 : 0);
    if (rounded >= 1024 && i + 1 < k_units.size()) continue;
    return (tenths < 1000 ? with_tenths(tenths) : std::to_string(rounded)) + k_units[i];
  }
}

std::string human_duration(std::chrono::milliseconds duration) {
  const auto count = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
  const std::uint64_t tenths = (count + 50) / 100;
  if (tenths < 100) return with_tenths(tenths) + " s";
  const std::uint64_t seconds = (count + 500) / 1000;
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return two_parts(seconds / 60, "min", seconds % 60, "s", 2);
  const std::uint64_t minutes = (count + 30'000) / 60'000;
  if (minutes < 24 * 60) return two_parts(minutes / 60, "h", minutes % 60, "min", 2);
  const std::uint64_t hours = (count + 1'800'000) / 3'600'000;
  return two_parts(hours / 24, "d", hours % 24, "h", 1);
}

}  // namespace larder
