#include "client/retry.hpp"

#include <algorithm>

namespace larder::client {

bool is_passing_status(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

bool is_passing_error(const Error& error) {
  return error.code() == Errc::busy;
}

std::optional<Retry::Milliseconds> Retry::next_delay(TimePoint now) {
  constexpr Milliseconds k_longest{5000};
  if (!first_failure_) first_failure_ = now;
  const auto left = std::chrono::duration_cast<Milliseconds>(*first_failure_ + patience_ - now);
  if (left <= Milliseconds::zero()) return std::nullopt;
  const Milliseconds delay = std::min(delay_, left);
  delay_ = std::min(delay_ * 2, k_longest);
  return delay;
}

}  // namespace larder::client
