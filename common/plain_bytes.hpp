// Text by eight bytes at a time, in an integer: names and header fields are nearly always plain ASCII, and
// that costs a few instructions a word. What is not plain is for a slower look, byte by byte.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace larder {

using ByteWord = std::uint64_t;

static_assert(std::endian::native == std::endian::little, "the first byte is the lowest of its word");

inline ByteWord load_bytes(const char* at) {
  ByteWord word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

constexpr ByteWord in_each_byte(std::uint8_t value) {
  return ByteWord{0x0101010101010101} * value;
}

// Whether every byte is of `lowest` (at most 0x80) to '~'.
constexpr bool all_plain(ByteWord word, std::uint8_t lowest) {
  // Below 0x80 a byte too low borrows, and 0x7F overflows, into its highest bit.
  return ((word | (word - in_each_byte(lowest)) | (word + in_each_byte(1))) & in_each_byte(0x80)) == 0;
}

// The highest bit of the first byte that is `value`, and bits above it; 0: none is.
constexpr ByteWord marks_of(ByteWord word, char value) {
  const ByteWord differing = word ^ in_each_byte(static_cast<std::uint8_t>(value));
  return (differing - in_each_byte(1)) & ~differing & in_each_byte(0x80);
}

// Bytes before the first mark; of no marks, all.
constexpr std::size_t bytes_before(ByteWord marks) {
  return static_cast<std::size_t>(std::countr_zero(marks)) / 8;
}

// The first byte that may not be of `lowest` to '~': behind it fewer than eight are left, or it is one of
// the next eight.
inline const char* skip_plain(const char* at, const char* end, std::uint8_t lowest) {
  while (end - at >= static_cast<std::ptrdiff_t>(sizeof(ByteWord)) && all_plain(load_bytes(at), lowest))
    at += sizeof(ByteWord);
  return at;
}

// Whether there is nothing but printable ASCII in it, blanks among them.
inline bool is_printable(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* at = skip_plain(text.data(), end, ' '); at != end; ++at)
    if (*at < ' ' || *at > '~') return false;
  return true;
}

}  // namespace larder
