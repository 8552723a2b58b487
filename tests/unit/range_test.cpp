#include "server/http/range.hpp"

#include <limits>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace larder::http;

namespace {

constexpr RangeDecision k_whole{};
constexpr RangeDecision k_unsatisfiable{RangeDecision::Kind::unsatisfiable, 0, 0};

RangeDecision slice(std::uint64_t first, std::uint64_t length) {
  return {RangeDecision::Kind::slice, first, length};
}

}  // namespace

TEST_CASE("a single range is a slice of the object", "[range]") {
  CHECK(parse_range("bytes=0-99", 1000) == slice(0, 100));
  CHECK(parse_range("bytes=0-0", 1000) == slice(0, 1));
  CHECK(parse_range("bytes=999-999", 1000) == slice(999, 1));
  CHECK(parse_range("bytes=10-", 1000) == slice(10, 990));
  CHECK(parse_range("bytes=0-", 1000) == slice(0, 1000));
  CHECK(parse_range("bytes=-1", 1000) == slice(999, 1));
  CHECK(parse_range("bytes=-1000", 1000) == slice(0, 1000));
  CHECK(parse_range("BYTES=007-008", 1000) == slice(7, 2));
}

TEST_CASE("an end behind the object is clipped", "[range]") {
  CHECK(parse_range("bytes=0-1000", 1000) == slice(0, 1000));
  CHECK(parse_range("bytes=999-5000", 1000) == slice(999, 1));
  CHECK(parse_range("bytes=-1001", 1000) == slice(0, 1000));
  CHECK(parse_range("bytes=5-99999999999999999999999999", 1000) == slice(5, 995));
  CHECK(parse_range("bytes=-99999999999999999999999999", 1000) == slice(0, 1000));
}

TEST_CASE("a start at or behind the end is unsatisfiable, and nothing else is", "[range]") {
  CHECK(parse_range("bytes=1000-", 1000) == k_unsatisfiable);
  CHECK(parse_range("bytes=1000-1000", 1000) == k_unsatisfiable);
  CHECK(parse_range("bytes=1001-", 1000) == k_unsatisfiable);
  CHECK(parse_range("bytes=18446744073709551615-", 1000) == k_unsatisfiable);
  CHECK(parse_range("bytes=18446744073709551616-", 1000) == k_unsatisfiable);
  CHECK(parse_range("bytes=99999999999999999999-99999999999999999999", 1000) == k_unsatisfiable);
  CHECK(parse_range("bytes=-0", 1000) == k_unsatisfiable);
}

TEST_CASE("an empty object has no first byte", "[range]") {
  CHECK(parse_range("bytes=0-", 0) == k_unsatisfiable);
  CHECK(parse_range("bytes=0-0", 0) == k_unsatisfiable);
  CHECK(parse_range("bytes=-0", 0) == k_unsatisfiable);
  CHECK(parse_range("bytes=-5", 0) == k_whole);
  CHECK(parse_range("", 0) == k_whole);
}

TEST_CASE("the largest object there can be does not overflow", "[range]") {
  constexpr auto k_largest = std::numeric_limits<std::uint64_t>::max();
  CHECK(parse_range("bytes=0-", k_largest) == slice(0, k_largest));
  CHECK(parse_range("bytes=0-18446744073709551615", k_largest) == slice(0, k_largest));
  CHECK(parse_range("bytes=18446744073709551614-", k_largest) == slice(k_largest - 1, 1));
  CHECK(parse_range("bytes=18446744073709551615-", k_largest) == k_unsatisfiable);
  CHECK(parse_range("bytes=-18446744073709551615", k_largest) == slice(0, k_largest));
}

TEST_CASE("several ranges, other units and nonsense answer the whole", "[range]") {
  for (const std::string_view header : {"",
                                        "bytes",
                                        "bytes=",
                                        "bytes=-",
                                        "bytes=--1",
                                        "bytes=1",
                                        "bytes=0-1,5-6",
                                        "bytes=0-1, 5-6",
                                        "bytes=,0-1",
                                        "bytes=5-4",
                                        "bytes=1000-999",
                                        "bytes=a-b",
                                        "bytes=0x0-1",
                                        "bytes=+0-1",
                                        "bytes=0-+1",
                                        "bytes=0-1-2",
                                        "bytes= 0-1",
                                        "bytes=0 -1",
                                        "bytes=0- 1",
                                        "bytes=0-1 ",
                                        " bytes=0-1",
                                        "bytes =0-1",
                                        "byte=0-1",
                                        "bytess=0-1",
                                        "items=0-1",
                                        "=0-1",
                                        "0-1",
                                        "bytes:0-1",
                                        "bytes=-1,-2"}) {
    INFO(header);
    CHECK(parse_range(header, 1000) == k_whole);
  }
}

TEST_CASE("Content-Range says what is sent, or how large the object is", "[range]") {
  CHECK(content_range(parse_range("bytes=0-99", 1000), 1000) == "bytes 0-99/1000");
  CHECK(content_range(parse_range("bytes=999-", 1000), 1000) == "bytes 999-999/1000");
  CHECK(content_range(parse_range("bytes=1000-", 1000), 1000) == "bytes */1000");
  CHECK(content_range(parse_range("bytes=0-", 0), 0) == "bytes */0");
}
