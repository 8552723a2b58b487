#include "server/store/recency.hpp"

#include <algorithm>

namespace larder {
namespace {

RecencyRecord later(const RecencyRecord& one, const RecencyRecord& other) {
  return {std::max(one.used, other.used), std::max(one.seen, other.seen)};
}

}  // namespace

void Recency::note(const NameHash& hash, std::string_view key, Access access, UnixSeconds now) {
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  Notes& notes = shard.gathered;
  auto found = notes.by_name.find(hash);
  if (found == notes.by_name.end()) {
    if (notes.by_name.size() >= k_shard_limit) {
      shard.dropped_at = std::max(shard.dropped_at, now);
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    Note note;
    note.at = static_cast<std::uint32_t>(notes.text.size());
    note.length = static_cast<std::uint32_t>(key.size());
    notes.text.append(key);
    found = notes.by_name.emplace(hash, note).first;
    if (notes.by_name.size() == k_pressing) pressing_.store(true, std::memory_order_relaxed);
  }
  RecencyRecord& record = found->second.record;
  (access == Access::used ? record.used : record.seen) = now;
}

void Recency::forget(const NameHash& hash) {
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  shard.gathered.by_name.erase(hash);
}

RecencyRecord Recency::unwritten(const NameHash& hash) const {
  const Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  RecencyRecord record;
  record.seen = shard.dropped_at;
  for (const Notes* const notes : {&shard.gathered, &shard.being_written}) {
    const auto found = notes->by_name.find(hash);
    if (found != notes->by_name.end()) record = later(record, found->second.record);
  }
  return record;
}

Result<void> Recency::flush(const Writer& write) {
  const std::lock_guard one_at_a_time(flush_mutex_);
  pressing_.store(false, std::memory_order_relaxed);
  for (Shard& shard : shards_) LARDER_TRY(flush(shard, write));
  return {};
}

// While the batch is on its way to the index, it is still found here.
Result<void> Recency::flush(Shard& shard, const Writer& write) {
  {
    const std::lock_guard lock(shard.mutex);
    // What an earlier flush could not write goes with it.
    for (const auto& [hash, note] : shard.being_written.by_name) {
      const auto [found, added] = shard.gathered.by_name.try_emplace(hash, note);
      found->second.record = later(found->second.record, note.record);
      if (!added) continue;
      found->second.at = static_cast<std::uint32_t>(shard.gathered.text.size());
      shard.gathered.text.append(shard.being_written.text, note.at, note.length);
    }
    shard.being_written = std::move(shard.gathered);
    shard.gathered = Notes();
    if (shard.being_written.by_name.empty()) return {};
  }
  // Only a flush changes what is being written, and there is one at a time.
  std::vector<std::pair<std::string_view, RecencyRecord>> batch;
  batch.reserve(shard.being_written.by_name.size());
  const std::string_view text = shard.being_written.text;
  for (const auto& [hash, note] : shard.being_written.by_name)
    batch.emplace_back(text.substr(note.at, note.length), note.record);
  LARDER_TRY(write(batch));
  Notes written;
  const std::lock_guard lock(shard.mutex);
  std::swap(written, shard.being_written);
  return {};
}

}  // namespace larder
