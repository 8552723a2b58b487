#include "server/access/failure_gate.hpp"

#include "tests/support/catch.hpp"

using namespace larder;
using namespace std::chrono_literals;

namespace {
const FailureGate::Time k_start{std::chrono::hours(1000)};
}

TEST_CASE("each different wrong credential doubles the wait, up to a limit", "[access]") {
  FailureGate gate;
  std::vector<std::int64_t> waits;
  for (std::uint64_t i = 0; i < 8; ++i) waits.push_back(gate.failed("192.0.2.7", i, k_start).count());
  CHECK(waits == std::vector<std::int64_t>{250, 500, 1000, 2000, 4000, 8000, 8000, 8000});
  CHECK(gate.failed("192.0.2.8", 0, k_start) == 250ms);  // another address starts anew
}

TEST_CASE("a build that shows the same wrong token a thousand times is no guesser", "[access]") {
  FailureGate gate;
  for (int i = 0; i < 1000; ++i) CHECK(gate.failed("192.0.2.7", 42, k_start) == 250ms);
  CHECK(gate.before_check("192.0.2.7", k_start) == 0ms);
}

TEST_CASE("a flood makes right passwords of the same address wait, too", "[access]") {
  FailureGate gate;
  CHECK(gate.before_check("192.0.2.7", k_start) == 0ms);
  for (std::uint64_t i = 0; i + 1 < FailureGate::k_flood; ++i) (void)gate.failed("192.0.2.7", i, k_start);
  CHECK(gate.before_check("192.0.2.7", k_start) == 0ms);
  (void)gate.failed("192.0.2.7", 1000, k_start);
  CHECK(gate.before_check("192.0.2.7", k_start) == 1s);
  CHECK(gate.before_check("192.0.2.8", k_start) == 0ms);
}

TEST_CASE("failures are forgotten after ten quiet minutes", "[access]") {
  FailureGate gate;
  for (std::uint64_t i = 0; i < 5; ++i) (void)gate.failed("192.0.2.7", i, k_start);
  CHECK(gate.failed("192.0.2.7", 9, k_start + 9min) == 8s);
  CHECK(gate.failed("192.0.2.7", 10, k_start + 20min) == 250ms);
}

TEST_CASE("the gate remembers so many addresses and no more", "[access]") {
  FailureGate gate;
  for (std::uint64_t i = 0; i < 3 * FailureGate::k_most_addresses; ++i)
    (void)gate.failed("a" + std::to_string(i), i, k_start);
  CHECK(gate.addresses() == FailureGate::k_most_addresses);
}

TEST_CASE("an IPv6 site is one place, however many addresses it has", "[access]") {
  CHECK(place_of_address("2001:db8:1:2::1") == place_of_address("2001:db8:1:2:ffff::9"));
  CHECK(place_of_address("2001:db8:1:2::1") != place_of_address("2001:db8:1:3::1"));
  CHECK(place_of_address("fe80::1%eth0") == place_of_address("fe80::2"));
  CHECK(place_of_address("192.0.2.7") != place_of_address("192.0.2.8"));
}
