// Small things that make pages readable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace larder::client {

std::string grouped(std::uint64_t number);                     // 10,000
std::string left(std::string_view text, std::size_t width);    // padded behind
std::string right(std::string_view text, std::size_t width);   // padded in front
std::string percent(std::uint64_t part, std::uint64_t whole);  // "97.3 %"; "-" of nothing
std::string local_time(std::int64_t unix_seconds);             // "2024-05-31 14:05"; "-" for 0

// Names from elsewhere may not move the terminal: control characters become "?".
std::string printable(std::string_view text);

}  // namespace larder::client
