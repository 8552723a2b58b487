// The time of day, as a seam: the store never asks the system itself.
#pragma once

#include <cstdint>
#include <ctime>

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
  // Of the kernel's last tick, as the times of files are: nothing is read from the hardware for it.
  UnixSeconds now() const override { return std::time(nullptr); }
};

}  // namespace larder
