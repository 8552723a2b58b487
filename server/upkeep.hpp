// What the daemon does about space by itself: empties the trash when its time has come
// or its space is needed, evicts what was not used for the longest time, and forgets what
// nobody asks for. Runs in a thread of its own; no request waits for it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "common/clock.hpp"
#include "server/live_config.hpp"
#include "server/store/hash_equivalence.hpp"
#include "server/store/store.hpp"

namespace spdlog {
class logger;
}

namespace larder {

// Whether a namespace gives way when space is needed.
bool is_evicted(const NamespaceConfig& name_space);
// The size, in bytes, that a namespace has to be brought down to; nothing while it may stay as it is.
// `refused`: bytes of an upload there was no room for.
std::optional<std::uint64_t> size_to_reach(const NamespaceConfig& name_space, std::uint64_t physical_bytes,
                                           std::uint64_t refused);
// How many bytes the disk needs to have free in addition; 0 while there is enough. Twice the floor is enough,
// or a quarter of what is above it on a small disk, which is not emptied for more than it has.
std::uint64_t bytes_to_free(const DiskSpace& disk, ByteSize free_space_floor, std::uint64_t refused);
// Likewise of inodes, where there is a floor and the file system counts them.
std::uint64_t inodes_to_free(const DiskSpace& disk, std::uint64_t free_inode_floor, std::uint64_t refused);
// As much of `amount` as `part` is of `whole`, rounded up; all of it when the part is not smaller.
std::uint64_t proportion_of(std::uint64_t amount, std::uint64_t part, std::uint64_t whole);

// After everything was found leased, young or pinned: when to look again.
struct Pause {
  UnixSeconds until = 0;
  std::uint64_t physical_bytes = 0;  // what the namespace took then; less means that something changed
};
// `next_chance`: when the first lease ends, 0 when there is none.
UnixSeconds pause_until(UnixSeconds now, UnixSeconds next_chance);
bool is_over(const Pause& pause, UnixSeconds now, std::uint64_t physical_bytes);

class Upkeep {
 public:
  Upkeep(Store& store, const LiveConfig& config, const Clock& clock, std::shared_ptr<spdlog::logger> log,
         HashEquivalence* equivalences = nullptr)
      : store_(store), equivalences_(equivalences), config_(config), clock_(clock), log_(std::move(log)) {}

  // One look at everything. Cheap when there is nothing to do. As long as tree and index may differ, names
  // are left alone: how large namespaces are and what was used is not known for sure. What was removed
  // already may go, whatever the index says: an object goes when the disk counts no other link of it.
  void look(const std::stop_token& stop);

 private:
  void keep_to_limits(const std::stop_token& stop);
  void empty_old_trash(const std::stop_token& stop);
  void trim_ledger();
  void settle_charges(const std::stop_token& stop);
  void keep_to_size(const NamespaceConfig& name_space, const std::stop_token& stop);
  void keep_to_age(const NamespaceConfig& name_space, const std::stop_token& stop);
  void keep_equivalences(const std::stop_token& stop);
  void forget_equivalences(const std::stop_token& stop);
  void keep_disk_free(const std::stop_token& stop);
  // Whether that freed as much as is missing.
  bool empty_trash_for_disk(const Quota::Room& refused, const std::stop_token& stop);
  void evict_for_disk(const Quota::Room& refused, const std::stop_token& stop);
  Quota::Room missing(const Quota::Room& refused) const;  // of what the disk should have free
  std::uint64_t empty_trash(const std::string& name_space, std::optional<std::uint64_t> enough,
                            const std::stop_token& stop);
  // The bytes that this freed. `next_chance`: when the first of what could not go may, 0: unknown.
  std::uint64_t evict(const NamespaceConfig& name_space, std::uint64_t size, const std::string& why,
                      const std::stop_token& stop, UnixSeconds& next_chance);
  bool is_time(const std::string& task, UnixSeconds pause);

  Store& store_;
  HashEquivalence* const equivalences_;  // null: there are none
  const LiveConfig& config_;
  const Clock& clock_;
  std::shared_ptr<spdlog::logger> log_;
  std::map<std::string, UnixSeconds> next_;  // by task: not before
  std::map<std::string, Pause> pauses_;      // of eviction, by namespace; "": the disk
};

}  // namespace larder
