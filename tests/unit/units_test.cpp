#include "common/units.hpp"

#include <limits>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace std::chrono_literals;

TEST_CASE("sizes read as people write them", "[units]") {
  const auto table = std::vector<std::pair<std::string_view, std::uint64_t>>{
      {"0", 0},
      {"4096", 4096},
      {"34 B", 34},
      {"64K", 65536},
      {"64KiB", 65536},
      {"64 kib", 65536},
      {"64KB", 64000},
      {"1M", 1 << 20},
      {"200GiB", std::uint64_t{200} << 30},
      {"1.5T", std::uint64_t{3} << 39},
      {"1.5 GiB", std::uint64_t{3} << 29},
      {"2TB", 2'000'000'000'000},
      {"0.1K", 102},  // rounded down
      {"1.0000009M", 1 << 20},
      {"007K", 7168},
      {"9223372036854775808", std::uint64_t{1} << 63},
      {"8388608T", std::uint64_t{1} << 63},
  };
  for (const auto& [text, bytes] : table) {
    INFO(text);
    const auto size = parse_byte_size(text);
    REQUIRE(size.ok());
    CHECK(size->bytes == bytes);
  }
}

TEST_CASE("what is no size is refused by name", "[units]") {
  for (const std::string_view text : {"",
                                      " ",
                                      "K",
                                      "-1",
                                      "+1",
                                      "1.",
                                      ".5",
                                      "1.5",
                                      "1.5B",
                                      "1,5G",
                                      "1e3",
                                      "0x10",
                                      "1 G iB",
                                      "1GG",
                                      "1Ki",
                                      "1iB",
                                      "1X",
                                      " 1",
                                      "1 ",
                                      "1K ",
                                      "9223372036854775809",
                                      "18446744073709551616",
                                      "8388608.1T",
                                      "8388609T",
                                      "99999999999999999999999T"}) {
    INFO(text);
    const auto size = parse_byte_size(text);
    REQUIRE_FALSE(size.ok());
    CHECK(size.error().code() == Errc::invalid_argument);
    CHECK(size.error().message().find("'" + std::string(text) + "'") != std::string::npos);
  }
}

TEST_CASE("durations read as people write them", "[units]") {
  const auto table = std::vector<std::pair<std::string_view, std::chrono::milliseconds>>{
      {"0", 0ms},       {"0s", 0ms},      {"500ms", 500ms}, {"90s", 90s},
      {"15m", 15min},   {"15min", 15min}, {"12h", 12h},     {"14d", 14 * 24h},
      {"2w", 14 * 24h}, {"1.5h", 90min},  {"0.25s", 250ms}, {"36500d", 36500 * 24h},
  };
  for (const auto& [text, duration] : table) {
    INFO(text);
    const auto parsed = parse_duration(text);
    REQUIRE(parsed.ok());
    CHECK(*parsed == duration);
  }
}

TEST_CASE("a duration needs a unit, and an end", "[units]") {
  for (const std::string_view text : {"", "5", "00", "-1s", "+1s", "1y", "1S", "1M", "s", "1.s", "1s ",
                                      "1h30m", "36501d", "5215w", "99999999999999999999s"}) {
    INFO(text);
    const auto parsed = parse_duration(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code() == Errc::invalid_argument);
  }
}

TEST_CASE("sizes are written with three digits or so", "[units]") {
  const auto table = std::vector<std::pair<std::uint64_t, std::string_view>>{
      {0, "0 B"},
      {34, "34 B"},
      {1023, "1023 B"},
      {1024, "1.0 KiB"},
      {20480, "20.0 KiB"},
      {102348, "99.9 KiB"},
      {102349, "100 KiB"},
      {1048063, "1023 KiB"},
      {1048064, "1.0 MiB"},
      {1048576, "1.0 MiB"},
      {std::uint64_t{3} << 39, "1.5 TiB"},
      {std::uint64_t{5000} << 40, "5000 TiB"},
      {std::numeric_limits<std::uint64_t>::max(), "16777216 TiB"},
  };
  for (const auto& [bytes, text] : table) {
    INFO(bytes);
    CHECK(human_size(bytes) == text);
  }
}

TEST_CASE("durations are written with two units", "[units]") {
  const auto table = std::vector<std::pair<std::chrono::milliseconds, std::string_view>>{
      {-5s, "0.0 s"},
      {0ms, "0.0 s"},
      {449ms, "0.4 s"},
      {9949ms, "9.9 s"},
      {9950ms, "10 s"},
      {59499ms, "59 s"},
      {59500ms, "1 min 00 s"},
      {245s, "4 min 05 s"},
      {3599499ms, "59 min 59 s"},
      {3599500ms, "1 h 00 min"},
      {192min, "3 h 12 min"},
      {24h - 1min, "23 h 59 min"},
      {24h - 30s, "1 d 0 h"},
      {52h, "2 d 4 h"},
      {52h + 31min, "2 d 5 h"},
  };
  for (const auto& [duration, text] : table) {
    INFO(duration.count());
    CHECK(human_duration(duration) == text);
  }
}
