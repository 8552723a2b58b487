#include "server/background_scrub.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace larder {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

BackgroundScrub::BackgroundScrub(Store& store, const LiveConfig& config, const Clock& clock,
                                 std::shared_ptr<spdlog::logger> log)
    : store_(store), config_(config), clock_(clock), log_(std::move(log)) {}

void BackgroundScrub::run(const std::stop_token& stop) {
  constexpr milliseconds k_after_start = std::chrono::minutes(10);  // builders that wait for us come first
  constexpr milliseconds k_between_slices = seconds(1);
  constexpr milliseconds k_between_looks = seconds(10);
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  milliseconds pause = std::min(k_after_start, config_->scrub.period);
  while (true) {
    wake.wait_for(lock, stop, pause, [] { return false; });
    if (stop.stop_requested()) return;
    const bool due = is_due();
    if (due) run_slice(stop);
    pause = due ? k_between_slices : std::min(k_between_looks, config_->scrub.period);
  }
}

bool BackgroundScrub::is_due() const {
  if (config_->scrub.rate.bytes == 0 || !store_.reconciled()) return false;
  const auto cursor = store_.scrub_cursor(k_background_cursor);
  if (!cursor) return false;
  const bool under_way = cursor->phase != 0 || !cursor->position.empty();
  return under_way || clock_.now() - cursor->started >= duration_cast<seconds>(config_->scrub.period).count();
}

// A slice at a time: a new rate in the configuration takes effect with the next one.
void BackgroundScrub::run_slice(const std::stop_token& stop) {
  const auto turn = store_.enter_scrub(ScrubState::Who::daemon);
  if (!turn) return;
  ScrubOptions options;
  options.rate = config_->scrub.rate;
  options.time_budget = std::chrono::minutes(1);
  options.cursor = k_background_cursor;
  const auto report = [this](const api::VerifyEvent& event) {
    if (event.defect.empty()) return;
    log_->error("check of what is stored: {}: {}: {}{}{}", event.path, event.defect, event.detail,
                event.action.empty() ? "" : "; ", event.action);
  };
  const auto outcome = store_.scrub(options, *turn, report, stop);
  if (!outcome && outcome.error().code() == Errc::cancelled) return;
  if (!outcome) log_->error("checking what is stored failed: {}", outcome.error().message());
  if (!outcome || !outcome->complete) return;
  log_->info("everything that is stored was checked: {} names, {} objects, {} read; {} defects",
             outcome->names, outcome->objects, human_size(outcome->bytes), outcome->defects);
}

}  // namespace larder
