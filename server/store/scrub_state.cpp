#include <thread>

#include "server/store/scrub.hpp"

namespace larder {

std::string_view name_of(ScrubLevel level) {
  switch (level) {
    case ScrubLevel::quick: return "quick";
    case ScrubLevel::sample: return "sample";
    case ScrubLevel::full: return "full";
  }
  return "unknown";
}

std::optional<ScrubLevel> scrub_level(std::string_view name) {
  for (const ScrubLevel each : {ScrubLevel::quick, ScrubLevel::sample, ScrubLevel::full}) {
    if (name == name_of(each)) return each;
  }
  return std::nullopt;
}

std::string_view name_of(Defect defect) {
  switch (defect) {
    case Defect::corrupt: return "corrupt";
    case Defect::broken_archive: return "broken_archive";
    case Defect::unreadable: return "unreadable";
    case Defect::lost_object: return "lost_object";
    case Defect::apart: return "apart";
    case Defect::orphan: return "orphan";
    case Defect::stale_row: return "stale_row";
    case Defect::unknown_file: return "unknown_file";
    case Defect::wrong_row: return "wrong_row";
    case Defect::wrong_record: return "wrong_record";
    case Defect::wrong_mode: return "wrong_mode";
    case Defect::foreign: return "foreign";
  }
  return "unknown";
}

std::string cursor_of(ScrubLevel level) {
  return "scrub/" + std::string(name_of(level));
}

Result<ScrubState::Ticket> ScrubState::enter(Who who) {
  const std::lock_guard lock(mutex_);
  const bool taken = person_ || (who == Who::daemon && daemon_);
  if (taken) return Error(Errc::busy, "the store is being checked already; one check runs at a time");
  (who == Who::person ? person_ : daemon_) = true;
  return Ticket(this, [who](ScrubState* state) { state->leave(who); });
}

void ScrubState::leave(Who who) {
  const std::lock_guard lock(mutex_);
  (who == Who::person ? person_ : daemon_) = false;
}

bool ScrubState::wait_for_daemon(const std::stop_token& stop) const {
  while (!stop.stop_requested()) {
    {
      const std::lock_guard lock(mutex_);
      if (!daemon_) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

bool ScrubState::is_wanted() const {
  const std::lock_guard lock(mutex_);
  return person_;
}

void ScrubState::show(const ScrubCursor& cursor) {
  const std::lock_guard lock(mutex_);
  shown_ = cursor;
}

api::ScrubStat ScrubState::stat() const {
  const std::lock_guard lock(mutex_);
  api::ScrubStat stat;
  stat.running = daemon_ || person_;
  stat.started = shown_.started;
  stat.finished = shown_.finished;
  stat.bytes = shown_.bytes;
  stat.defects = shown_.defects;
  stat.last_defects = shown_.last_defects;
  return stat;
}

}  // namespace larder
