// Sizes and durations as people write them: 200GiB, 1.5T, 14d, 90s.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace larder {

struct ByteSize {
  std::uint64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};

constexpr ByteSize operator""_KiB(unsigned long long n) {
  return {n << 10};
}
constexpr ByteSize operator""_MiB(unsigned long long n) {
  return {n << 20};
}
constexpr ByteSize operator""_GiB(unsigned long long n) {
  return {n << 30};
}

// "4096", "64KiB", "64K", "1.5 GiB", "2TB". K, M, G, T alone and KiB … TiB are
// powers of 1024; KB … TB are powers of 1000. No sign, no overflow past 2^63.
Result<ByteSize> parse_byte_size(std::string_view text);

// "90s", "15m" or "15min", "12h", "1.5d", "2w", "500ms"; a bare number is an
// error, except 0. At most 36500d: added to a clock of nanoseconds, more than
// that could overflow.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// For people: "0 B", "34 B", "20.0 KiB", "1.5 TiB"; three significant digits or so.
std::string human_size(std::uint64_t bytes);

// For people: "0.4 s", "59 s", "4 min 05 s", "3 h 12 min", "2 d 4 h".
std::string human_duration(std::chrono::milliseconds duration);

}  // namespace larder
