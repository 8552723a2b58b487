// The time of day, as a seam: the store never asks the system itself.
#pragma once

#include <chrono>
#include <cstdint>

namespace larder {

// Seconds since 1970 (UTC). One second is what HTTP dates and mtimes carry.
using UnixSeconds = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual UnixSeconds now() const = 0;
};

class SystemClock final : public Clock {
 public:
  UnixSeconds now() const override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(since_epoch).count();
  }
};

}  // namespace larder
