// Whether and when to try again. A daemon that restarts is away for seconds; a
// seed of hours should not end for that.
#pragma once

#include <chrono>
#include <optional>

#include "common/error.hpp"

namespace larder::client {

// A server that will answer differently soon: it is starting, stopping or busy,
// or something in front of it says so.
bool is_passing_status(int status);

// Connections that could not be made or broke (Errc::busy, see ServerConnection).
bool is_passing_error(const Error& error);

// One series of attempts. Delays double from 200 ms to 5 s; the series ends when
// `patience` has passed since its first failure.
class Retry {
 public:
  using Milliseconds = std::chrono::milliseconds;
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit Retry(Milliseconds patience) : patience_(patience) {}

  // After a failure at `now`: how long to wait, or nothing when it is enough.
  // The last wait ends exactly with the patience.
  std::optional<Milliseconds> next_delay(TimePoint now);

 private:
  Milliseconds patience_;
  Milliseconds delay_{200};
  std::optional<TimePoint> first_failure_;
};

}  // namespace larder::client
