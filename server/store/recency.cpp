#include "server/store/recency.hpp"

namespace larder {

void Recency::note(const ArtifactKey& key, Access access, UnixSeconds now) {
  Shard& shard = shards_[std::hash<std::string>{}(key.str()) % shards_.size()];
  const std::lock_guard lock(shard.mutex);
  auto found = shard.records.find(key.str());
  if (found == shard.records.end()) {
    if (shard.records.size() >= k_shard_limit) return;
    found = shard.records.emplace(key.str(), RecencyRecord()).first;
  }
  (access == Access::used ? found->second.used : found->second.seen) = now;
}

void Recency::forget(const ArtifactKey& key) {
  Shard& shard = shards_[std::hash<std::string>{}(key.str()) % shards_.size()];
  const std::lock_guard lock(shard.mutex);
  shard.records.erase(key.str());
}

RecencyRecord Recency::since_taken(const ArtifactKey& key) {
  Shard& shard = shards_[std::hash<std::string>{}(key.str()) % shards_.size()];
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.records.find(key.str());
  return found == shard.records.end() ? RecencyRecord() : found->second;
}

std::vector<std::pair<std::string, RecencyRecord>> Recency::take() {
  std::vector<std::pair<std::string, RecencyRecord>> all;
  for (Shard& shard : shards_) {
    std::unordered_map<std::string, RecencyRecord> records;
    {
      const std::lock_guard lock(shard.mutex);
      records.swap(shard.records);
    }
    for (auto& [key, record] : records) all.emplace_back(key, record);
  }
  return all;
}

}  // namespace larder
