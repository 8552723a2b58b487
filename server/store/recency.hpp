// Remembers in memory which names were read or asked for, until a flush writes
// them to the index in one batch. A crash loses what was not flushed: a few
// seconds of knowledge about use, never an artifact. Thread-safe, never waits
// for the disk but in take().
#pragma once

#include <array>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/artifact_key.hpp"
#include "server/store/records.hpp"

namespace larder {

enum class Access { used, seen };  // read; only asked for

class Recency {
 public:
  void note(const ArtifactKey& key, Access access, UnixSeconds now);
  std::vector<std::pair<std::string, RecencyRecord>> take();  // and forget
  void forget(const ArtifactKey& key);                        // its name is gone
  RecencyRecord since_taken(const ArtifactKey& key);

 private:
  // Names beyond this many since the last flush are not noted: memory stays
  // bounded, and so many are all about equally recent.
  static constexpr std::size_t k_shard_limit = 65536;
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, RecencyRecord> records;
  };

  std::array<Shard, 16> shards_;
};

}  // namespace larder
