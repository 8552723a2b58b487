#include "server/store/scrub_pace.hpp"

#include <algorithm>
#include <thread>

namespace larder {

using std::chrono::milliseconds;

ScrubPace::ScrubPace(ByteSize rate, milliseconds budget, std::stop_token stop, std::function<bool()> make_way)
    : rate_(rate), budget_(budget), stop_(std::move(stop)), make_way_(std::move(make_way)) {}

// One entry at least: a budget shorter than the largest one takes would never get past it.
bool ScrubPace::out_of_time() const {
  return budget_.count() > 0 && progressed_ && Clock::now() - started_ >= budget_;
}

Result<void> ScrubPace::step() {
  if (stop_.stop_requested()) return Error(Errc::cancelled, "the check was stopped");
  if (make_way_() || out_of_time()) {
    paused_ = true;
    return Error(Errc::cancelled, "the check is to go on later");
  }
  constexpr std::uint64_t k_steps_between_rests = 256;  // requests get the disk and the core in between
  if (++steps_ % k_steps_between_rests == 0) std::this_thread::sleep_for(milliseconds(1));
  return {};
}

Result<void> ScrubPace::read(std::uint64_t bytes) {
  bytes_ += bytes;
  LARDER_TRY(step());
  if (rate_.bytes == 0) return {};
  const double seconds = static_cast<double>(bytes_) / static_cast<double>(rate_.bytes);
  const auto due =
      started_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  const auto now = Clock::now();
  if (due <= now) return {};
  return wait(std::chrono::ceil<milliseconds>(due - now));
}

Result<void> ScrubPace::wait(milliseconds duration) {
  const auto until = Clock::now() + duration;
  for (auto now = Clock::now(); now < until; now = Clock::now()) {
    LARDER_TRY(step());
    constexpr milliseconds k_slice(20);
    std::this_thread::sleep_for(std::min<Clock::duration>(k_slice, until - now));
  }
  return {};
}

}  // namespace larder
