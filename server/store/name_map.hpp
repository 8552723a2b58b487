// Which names there are and what they hold, in memory: what most requests are
// answered from. It is told of every change of the index, and filled from it in
// the background; until then, and where the names do not fit into its limit, it
// answers "unknown" and the index has to be asked.
//
// Thread-safe; never waits but for another thread's look-up or change in the same
// one of its many parts.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "common/keyed_hash.hpp"
#include "common/units.hpp"
#include "server/store/entry.hpp"
#include "server/store/name_table.hpp"

namespace larder {

class NameMap {
 public:
  NameMap();
  ~NameMap();

  Found find(const NameHash& hash, Entry& entry) const;

  // A name has this content now; it is gone. Who calls them has changed the index before, and
  // calls them in the order of those changes. Nothing while it is neither filled nor complete.
  void put(const NameHash& hash, const Entry& entry);
  void erase(const NameHash& hash);

  // Filling: from begin() on changes are heard. learn() adds what the index held at some moment
  // after begin(); what was heard of a name meanwhile is newer, and stays. False: over the limit.
  void begin(ByteSize limit, std::uint64_t expected_names);
  bool learn(const NameHash& hash, const Entry& entry);
  void complete();
  void give_up();  // everything is forgotten, for good

  bool is_complete() const;
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  enum class Phase : std::uint8_t { off, filling, complete };
  struct Part {
    mutable std::mutex mutex;
    Phase phase = Phase::off;
    NameTable names;
    std::vector<NameHash> erased;  // while filling: what learn() must not bring back; in order
  };

  Part& part_of(const NameHash& hash) const;
  bool put_locked(Part& part, const NameHash& hash, const Entry& entry);

  static constexpr std::size_t k_parts = 1024;  // so that growing one is done in a moment
  std::atomic<std::uint64_t> limit_{0};         // bytes
  std::unique_ptr<Part[]> parts_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<Phase> phase_{Phase::off};
};

}  // namespace larder
