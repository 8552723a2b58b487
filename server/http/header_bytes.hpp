// What a byte of a header may be part of (RFC 9110, sections 5.5 and 5.6.2).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "common/plain_bytes.hpp"

namespace larder::http {

enum : std::uint8_t { k_token = 1, k_visible = 2, k_value = 4 };

constexpr std::array<std::uint8_t, 256> make_header_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0x20; c < 256; ++c) {
    if (c == 0x7F) continue;
    classes[c] = c == 0x20 ? k_value : k_visible | k_value;
  }
  classes[0x09] = k_value;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] |= k_token;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] |= k_token;
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] |= k_token;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) classes[static_cast<std::uint8_t>(c)] |= k_token;
  return classes;
}

inline constexpr auto k_header_classes = make_header_classes();

inline bool is(std::uint8_t wanted, char c) {
  return (k_header_classes[static_cast<std::uint8_t>(c)] & wanted) != 0;
}

// The first byte that is not of a wanted class, or `end`.
inline const char* skip(std::uint8_t wanted, const char* at, const char* end) {
  if (wanted != k_token) at = skip_plain(at, end, wanted == k_visible ? '!' : ' ');
  while (at != end && is(wanted, *at)) ++at;
  return at;
}

}  // namespace larder::http
