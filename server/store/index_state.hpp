// What the index is made of inside: its database, the names in memory, the totals. For index*.cpp alone.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/slice.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>

#include "server/store/index.hpp"
#include "server/store/name_map.hpp"

namespace larder {

inline constexpr std::string_view k_totals_prefix = "totals/";

inline rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view view(const rocksdb::Slice& text) {
  return {text.data(), text.size()};
}

inline Error index_error(std::string_view doing, const rocksdb::Status& status) {
  const std::string text = "cannot " + std::string(doing) + " the index: " + status.ToString();
  if (status.IsNoSpace()) return Error(Errc::no_space, text);
  if (status.IsCorruption()) return Error(Errc::corrupt, text);
  return Error(Errc::io, text);
}

// Of a namespace itself, not of a snapshot.
inline bool is_live(std::string_view key_or_space) {
  return !key_or_space.starts_with('@');
}

inline std::string totals_key(std::string_view name_space) {
  return std::string(k_totals_prefix).append(name_space);
}

// The generation, big-endian so that the oldest comes first, then the name.
inline std::string trash_key(std::uint64_t generation, std::string_view key) {
  return encode_sequence(generation).append(key);
}

class Index::State {
 public:
  enum Family { meta, names, objects, recency, ledger, trash, family_count };

  rocksdb::ColumnFamilyHandle* family(Family which) const { return handles[which]; }

  ~State() {
    if (!db) return;
    for (auto* handle : handles) {
      if (handle != nullptr) db->DestroyColumnFamilyHandle(handle);
    }
  }

  Result<void> write(rocksdb::WriteBatch& batch) {
    auto status = db->Write(rocksdb::WriteOptions(), &batch);
    // After it met a full disk the database takes no writes until it is told to try again.
    if (status.IsNoSpace() && db->Resume().ok()) status = db->Write(rocksdb::WriteOptions(), &batch);
    if (!status.ok()) return index_error("write to", status);
    return {};
  }

  // A value of `which` decoded, nothing when it is not there.
  template <typename Record>
  Result<std::optional<Record>> get(Family which, std::string_view key,
                                    std::optional<Record> (*decode)(std::string_view)) const {
    rocksdb::PinnableSlice value;
    const auto status = db->Get(rocksdb::ReadOptions(), family(which), slice(key), &value);
    if (status.IsNotFound()) return std::optional<Record>();
    if (!status.ok()) return index_error("read from", status);
    auto record = decode(view(value));
    if (!record) return Error(Errc::corrupt, "the index has a row that does not decode: " + std::string(key));
    return record;
  }

  // The names in memory follow the database, in the order in which it changes.
  void remember(KeyView key, const std::optional<NameRecord>& record) {
    if (key.is_frozen()) return;
    const NameHash name = hash(key.str());
    if (record)
      names_in_memory.put(name, {record->digest, record->size, record->stored});
    else
      names_in_memory.erase(name);
  }

  Result<void> begin_run();  // what the last one left

  using Totals = std::map<std::string, NamespaceTotals, std::less<>>;
  NamespaceTotals total_of(std::string_view space) const {
    const std::lock_guard lock(totals_mutex);
    const auto total = totals.find(space);
    return total == totals.end() ? NamespaceTotals() : total->second;
  }
  // What a batch will make of the totals, beginning with what they are. `write_mutex` is held.
  NamespaceTotals& sum_of(Totals& sums, const std::string& space) {
    const auto sum = sums.find(space);
    if (sum != sums.end()) return sum->second;
    return sums.emplace(space, total_of(space)).first->second;
  }

  // Writes `batch` with the new totals of some spaces. `write_mutex` is held.
  Result<void> write_with_totals(rocksdb::WriteBatch& batch, const Totals& sums) {
    if (batch.Count() == 0 && sums.empty()) return {};
    for (const auto& [space, sum] : sums) batch.Put(family(meta), totals_key(space), encode(sum));
    LARDER_TRY(write(batch));
    const std::lock_guard lock(totals_mutex);
    for (const auto& [space, sum] : sums) totals.insert_or_assign(space, sum);
    return {};
  }

  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, family_count> handles{};
  Condition found = Condition::unclean;
  std::mutex trust_mutex;
  std::optional<std::set<std::string>> trusted{std::in_place};  // namespaces; nothing: all
  std::atomic<bool> reconciled{false};
  std::atomic<std::uint64_t> sequence{0};
  std::atomic<std::uint64_t> first_sequence{1};
  std::uint32_t history = 0;

  NameMap names_in_memory;  // all live ones, once they were read
  const KeyedHash hash = KeyedHash::with_random_key();

  // Totals, ledger sequence and the rows they belong to change in one batch, one
  // batch at a time: who reads up to last_sequence() has missed nothing.
  mutable std::mutex write_mutex;
  mutable std::mutex totals_mutex;  // held for a moment, besides: who asks waits for no write
  Totals totals;
};

struct Index::Pending {
  rocksdb::WriteBatch batch;
  State::Totals sums;
  std::unordered_set<Digest> charged;  // by this batch
};

}  // namespace larder
