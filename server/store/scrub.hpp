// What a check of the store is asked for, and the turn-taking of those who ask.
// Store::scrub() does it: it reads everything back, compares the tree, the
// objects and the index with one another, and takes out of the namespaces what
// is not what was stored. scrub.cpp says in which order.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "common/api.hpp"
#include "common/result.hpp"
#include "common/units.hpp"
#include "server/store/records.hpp"

namespace larder {

enum class ScrubLevel {
  quick,   // structure: names, rows, objects, sizes, modes; nothing is hashed without suspicion
  sample,  // and a share of the contents is read
  full,    // and every content is read
};
std::string_view name_of(ScrubLevel level);
std::optional<ScrubLevel> scrub_level(std::string_view name);

enum class Defect {
  corrupt,         // the bytes are not those that were stored: quarantined, asked to repair or not
  broken_archive,  // the bytes are as they came, but the archive cannot be read to its end
  unreadable,      // the disk does not give it
  lost_object,     // a name whose file is gone from objects/
  apart,           // a name with a file of its own, beside the object of the same bytes
  orphan,          // an object that no name leads to
  stale_row,       // in the index, and not in the tree or the trash
  unknown_file,    // in the tree or the trash, and not in the index
  wrong_row,       // the index tells another size than the file has, whose bytes are right
  wrong_record,    // what the index knows of an object is not so
  wrong_mode,      // not read-only
  foreign,         // nothing that larder puts there; left alone
};
std::string_view name_of(Defect defect);

struct ScrubOptions {
  ScrubOptions() = default;

  ScrubLevel level = ScrubLevel::full;
  double sample_percent = 10;
  std::uint64_t seed = 0;                    // which ones a sample takes; 0: others in every pass
  bool repair = false;                       // mend what can be mended, not only what must be
  ByteSize rate{0};                          // read so much a second; 0: as fast as it goes
  std::chrono::milliseconds time_budget{0};  // then stop between two contents; 0: never
  // Where the place is remembered when the run ends early, and looked up by the next one that gives
  // the same name. Empty: a whole pass, and nothing is remembered.
  std::string cursor;
};

inline constexpr std::string_view k_background_cursor = "scrub/background";
std::string cursor_of(ScrubLevel level);  // for runs that people bound by time

// One check at a time. The daemon's own makes way for one that a person asks for.
class ScrubState {
 public:
  enum class Who { daemon, person };
  using Ticket = std::shared_ptr<void>;  // the turn ends when it goes

  Result<Ticket> enter(Who who);  // Errc::busy: another one has it
  // For a person's check: waits until the daemon's has left. False when stopped.
  bool wait_for_daemon(const std::stop_token& stop) const;
  bool is_wanted() const;  // by a person: the daemon's has to leave

  // What the daemon's check tells of itself.
  void show(const ScrubCursor& cursor);
  api::ScrubStat stat() const;

 private:
  void leave(Who who);

  mutable std::mutex mutex_;
  bool person_ = false;
  bool daemon_ = false;
  ScrubCursor shown_;
};

}  // namespace larder
