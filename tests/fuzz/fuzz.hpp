// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace larder::fuzz {

// A promise of the code under test; the fuzzer keeps the input that breaks it.
inline void demand(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Takes a number off the front of the input; what is missing reads as 0.
inline std::uint64_t take_number(std::string_view& input, std::size_t bytes) {
  std::uint64_t number = 0;
  for (; bytes > 0 && !input.empty(); --bytes, input.remove_prefix(1))
    number = number << 8 | static_cast<std::uint8_t>(input.front());
  return number;
}

}  // namespace larder::fuzz
