#include "client/moment.hpp"

#include <cstdlib>
#include <ctime>
#include <string>

#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::client;

constexpr std::int64_t k_now = 1'790'000'000;

// The local time that stands for `seconds`, in `format`.
std::string local(std::int64_t seconds, const char* format) {
  const std::time_t time = seconds;
  char buffer[64];
  const auto length = std::strftime(buffer, sizeof buffer, format, std::localtime(&time));
  return {buffer, length};
}

TEST_CASE("moments before now", "[client][moment]") {
  CHECK(*parse_moment("now", k_now) == k_now);
  CHECK(*parse_moment("14d", k_now) == k_now - 14 * 86400);
  CHECK(*parse_moment("2 days ago", k_now) == k_now - 2 * 86400);
  CHECK(*parse_moment("1 day ago", k_now) == k_now - 86400);
  CHECK(*parse_moment("90 minutes", k_now) == k_now - 5400);
  CHECK(*parse_moment("3h ago", k_now) == k_now - 3 * 3600);
  CHECK(*parse_moment("1 week ago", k_now) == k_now - 7 * 86400);
  CHECK(*parse_moment("30 seconds ago", k_now) == k_now - 30);
}

TEST_CASE("dates are of the local time", "[client][moment]") {
  const std::int64_t minute = k_now - k_now % 60;
  CHECK(*parse_moment(local(k_now, "%Y-%m-%d %H:%M:%S"), 0) == k_now);
  CHECK(*parse_moment(local(k_now, "%Y-%m-%dT%H:%M"), 0) == minute);
  const auto midnight = parse_moment(local(k_now, "%Y-%m-%d"), 0);
  REQUIRE(midnight);
  CHECK(local(*midnight, "%H:%M:%S") == "00:00:00");
  CHECK(*parse_moment("today", k_now) == *midnight);
  CHECK(local(*parse_moment("yesterday", k_now), "%H:%M") == "00:00");
  CHECK(*parse_moment("yesterday", k_now) < *midnight);
  CHECK(*parse_moment("@1234567890", k_now) == 1234567890);
}

TEST_CASE("what is no moment is refused", "[client][moment]") {
  for (const char* text : {"", "soon", "2026-02-31", "2026-13-01", "2026-11-01 25:00", "-3d",
                           "3 fortnights ago", "@", "@-5", "@1x", "ago", "days ago", "14"}) {
    CAPTURE(text);
    const auto moment = parse_moment(text, k_now);
    REQUIRE_FALSE(moment);
    CHECK(moment.error().code() == Errc::invalid_argument);
  }
}

}  // namespace
