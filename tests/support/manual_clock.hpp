// A clock that a test sets.
#pragma once

#include <atomic>

#include "common/clock.hpp"

namespace larder {

class ManualClock final : public Clock {
 public:
  UnixSeconds now() const override { return now_; }
  void set(UnixSeconds now) { now_ = now; }
  void advance(UnixSeconds seconds) { now_ += seconds; }

 private:
  std::atomic<UnixSeconds> now_{1'700'000'000};
};

}  // namespace larder
