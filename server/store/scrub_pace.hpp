// How fast a check may go and how long: rate, time budget, and those who say stop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>

#include "common/result.hpp"
#include "common/units.hpp"

namespace larder {

class ScrubPace {
 public:
  using Clock = std::chrono::steady_clock;

  // `make_way`: somebody more important waits for this check to end.
  ScrubPace(ByteSize rate, std::chrono::milliseconds budget, std::stop_token stop,
            std::function<bool()> make_way);

  // To be called for every entry and every piece of bytes. Errc::cancelled when the run has to end;
  // paused() then tells an end that another run goes on from.
  Result<void> step();
  Result<void> read(std::uint64_t bytes);  // waits as the rate wants it
  void progress() { progressed_ = true; }  // something is done for good: the run may end on time
  // Gives what is in flight time to land. Ends early like step().
  Result<void> wait(std::chrono::milliseconds duration);

  bool paused() const { return paused_; }

 private:
  bool out_of_time() const;

  const ByteSize rate_;
  const std::chrono::milliseconds budget_;
  std::stop_token stop_;
  std::function<bool()> make_way_;
  const Clock::time_point started_ = Clock::now();
  std::uint64_t bytes_ = 0;
  std::uint64_t steps_ = 0;
  bool progressed_ = false;
  bool paused_ = false;
};

}  // namespace larder
