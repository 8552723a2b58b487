// Remembers in memory which names were read or asked for, until a flush writes
// them to the index in batches. A crash loses what was not flushed: fifteen
// seconds of knowledge about use, never an artifact. Thread-safe, never waits for the disk
// but in flush().
#pragma once

#include <array>
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/keyed_hash.hpp"
#include "common/result.hpp"
#include "server/store/records.hpp"

namespace larder {

enum class Access : std::uint8_t { used, seen };  // read; only asked for

class Recency {
 public:
  void note(const NameHash& hash, std::string_view key, Access access, UnixSeconds now);
  void forget(const NameHash& hash);  // its name is gone
  // What was noted and may not be in the index yet. Look here first, then there: what is found in
  // neither was never noted. Later than the truth where there was no room for it, never earlier.
  RecencyRecord unwritten(const NameHash& hash) const;

  // Hands everything over in batches. What could not be written is kept for the next time. One
  // flush at a time; others wait.
  using Writer = std::function<Result<void>(const std::vector<std::pair<std::string_view, RecencyRecord>>&)>;
  Result<void> flush(const Writer& write);
  // Whether so much has gathered that the next flush should not be waited for.
  bool pressing() const { return pressing_.load(std::memory_order_relaxed); }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }  // since the start

 private:
  struct Note {
    RecencyRecord record;
    std::uint32_t at = 0;  // of its name in the text
    std::uint32_t length = 0;
  };
  struct Low {  // already as random as can be
    std::size_t operator()(const NameHash& hash) const { return hash.low; }
  };
  struct Notes {
    boost::unordered_flat_map<NameHash, Note, Low> by_name;
    std::string text;
  };
  struct Shard {
    mutable std::mutex mutex;
    Notes gathered;
    Notes being_written;
    UnixSeconds dropped_at = 0;  // when something last found no room; 0: never
  };

  // Names beyond this many in one shard, because the disk cannot keep up with a flush, are counted
  // and not noted; until the process ends, all of the shard then count as asked for at that moment.
  static constexpr std::size_t k_shard_limit = 65536;
  static constexpr std::size_t k_pressing = 8192;

  Result<void> flush(Shard& shard, const Writer& write);
  Shard& shard_of(const NameHash& hash) { return shards_[hash.high % shards_.size()]; }
  const Shard& shard_of(const NameHash& hash) const { return shards_[hash.high % shards_.size()]; }

  std::array<Shard, 16> shards_;
  std::mutex flush_mutex_;
  std::atomic<bool> pressing_{false};
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace larder
