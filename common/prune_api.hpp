// What a prune is asked for and what it tells, as values and as JSON. The daemon's
// own eviction speaks of its rules in the same words.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace larder::api {

// POST; body: PruneRules. Answer: PruneEvent lines (ndjson), the last one with `done`.
inline constexpr std::string_view k_prune = "/-/v1/prune";
// GET: TrashGeneration lines, newest first. DELETE [?generation=N]: empties it; answer: TrashEvent.
inline constexpr std::string_view k_trash = "/-/v1/trash";
// POST [?generation=N]; without: the newest. Answer: TrashEvent.
inline constexpr std::string_view k_undo = "/-/v1/undo";
// GET: the pins, one a line. POST: lines to add; DELETE: lines to take away. Answer: text, how many changed.
inline constexpr std::string_view k_pins = "/-/v1/pins";

// All rules that are given have to hold for a group (an archive with its .siginfo and .sig) to
// go; each list means "one of these". Pinned groups stay whatever the rules say.
struct PruneRules {
  std::string name_space;
  // When to go:
  std::optional<std::int64_t> unused_for;  // seconds since it was last read, asked for or stored
  std::optional<std::int64_t> older_than;  // seconds since it was stored
  std::optional<std::uint64_t> newest;  // not among so many of its recipe, architecture, task, version, host
  std::optional<std::uint64_t> max_size;  // bytes: oldest use first, until the namespace takes no more
  // What is meant; nothing: everything. match, uploaders and uploaded_since have to hold for one name of the
  // group together.
  std::vector<std::string> match;  // globs for the path below the namespace
  std::vector<std::string> recipes;
  std::vector<std::string> architectures;
  std::vector<std::string> tasks;
  std::vector<std::string> versions;
  std::vector<std::string> uploaders;
  std::optional<std::int64_t> uploaded_since;  // UnixSeconds
  bool not_in_snapshot = false;
  // What stays:
  std::vector<std::string> keep_hashes;  // of sstate tasks, 64 hexadecimal digits
  std::vector<std::string> keep_names;   // paths below the namespace
  bool keep_siginfo = false;             // archives and signatures go alone
  bool ignore_lease = false;             // also what was asked for or stored just now

  // How:
  bool apply = false;      // otherwise it is only planned
  bool list = false;       // an event for every name
  bool no_trash = false;   // for good: needs no room on the disk, and cannot be undone
  std::uint64_t rate = 0;  // names a second; 0: as fast as it goes without getting in the way
  std::string why;         // for the ledger

  bool operator==(const PruneRules&) const = default;
};

// Errc::invalid_argument names what is wrong. Strict, as is right for something that removes: a
// member that is not known, or of another type, is an error and not ignored.
Result<PruneRules> prune_rules_from_json(std::string_view json);
std::string to_json(const PruneRules& rules);
// Whether anything is chosen at all: rules that name nothing would remove everything.
bool selects_something(const PruneRules& rules);

struct PruneSum {
  std::uint64_t groups = 0;
  std::uint64_t names = 0;
  std::uint64_t bytes = 0;  // what the names add up to
  std::uint64_t freed = 0;  // bytes on disk: of contents that no other name, snapshot or trash holds
  bool operator==(const PruneSum&) const = default;
};

struct PruneEvent {
  // One name (rules.list):
  std::string path;
  std::string reason;  // unused, old, superseded, oversize, selected
  std::uint64_t size = 0;
  std::int64_t last_use = 0;  // UnixSeconds
  // Progress, and at the end the whole:
  std::map<std::string, PruneSum> by_reason;  // to go, or gone
  std::map<std::string, std::uint64_t>
      kept;                      // groups the rules meant and that stay: pinned, leased, young, listed
  std::uint64_t considered = 0;  // groups
  PruneSum removed;              // apply: what has gone up to now
  std::uint64_t changed = 0;     // groups that were used or replaced meanwhile, and stay
  std::uint64_t generation = 0;  // of the trash: for undo; 0: nothing went
  bool done = false;
  // Not on the wire: when the first of the groups that stay for their lease or youth may go; 0: none does.
  std::int64_t next_chance = 0;  // UnixSeconds
};
std::string to_json(const PruneEvent& event);
Result<PruneEvent> prune_event_from_json(std::string_view json);

struct TrashGeneration {
  std::uint64_t generation = 0;
  std::int64_t removed = 0;  // UnixSeconds
  std::string actor;
  std::string why;
  std::uint64_t names = 0;
  std::uint64_t bytes = 0;
  std::string first;  // one of its names
};
std::string to_json(const TrashGeneration& generation);
Result<TrashGeneration> trash_generation_from_json(std::string_view json);

struct TrashEvent {
  std::uint64_t names = 0;    // restored, or gone for good
  std::uint64_t bytes = 0;    // what they add up to
  std::uint64_t freed = 0;    // bytes on disk
  std::uint64_t refused = 0;  // undo: the name holds other bytes now; they stay in the trash
  std::uint64_t generation = 0;
};
std::string to_json(const TrashEvent& event);
Result<TrashEvent> trash_event_from_json(std::string_view json);

}  // namespace larder::api
