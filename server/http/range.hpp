// Which bytes of an object a Range header asks for (RFC 9110, section 14).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace larder::http {

struct RangeDecision {
  enum class Kind : std::uint8_t {
    whole,          // 200: no Range, or one this server may ignore
    slice,          // 206 with the bytes first … first + length - 1
    unsatisfiable,  // 416 with "bytes */SIZE"
  };

  Kind kind = Kind::whole;
  std::uint64_t first = 0;
  std::uint64_t length = 0;  // of what is to be sent; never 0 in a slice

  bool operator==(const RangeDecision&) const = default;
};

// `size` is that of the complete object: wget takes a 416 for "you have all of
// it", so it must never be said about an object that is still growing.
// Several ranges, other units and what is no range at all answer `whole`.
RangeDecision parse_range(std::string_view header, std::uint64_t size);

// The Content-Range field: "bytes 0-99/1234", "bytes */1234" when unsatisfiable.
std::string content_range(const RangeDecision& decision, std::uint64_t size);

}  // namespace larder::http
