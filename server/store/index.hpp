// The RocksDB index: what is known of every name, object and change. Fast, and
// never ahead of the tree: the caller writes here last. Writes go to the
// write-ahead log without a sync of their own, so that they survive kill -9; a
// power cut may lose the latest, which reconcile finds again in the tree.
//
// Thread-safe. All calls may block but peek().
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/artifact_key.hpp"
#include "common/keyed_hash.hpp"
#include "common/result.hpp"
#include "common/units.hpp"
#include "server/store/entry.hpp"
#include "server/store/records.hpp"

namespace larder {

// One step: what becomes of a name, with its ledger line, all or nothing.
struct IndexChange {
  const ArtifactKey* key = nullptr;        // null: the ledger line alone
  std::optional<NameRecord> name;          // nothing: the name goes
  std::optional<ObjectRecord> new_object;  // of its content, where the index has none yet
  std::uint64_t trash =
      0;  // the name goes to this generation of the trash, with what its row said; 0: nowhere
  LedgerRecord ledger;
};

class Index {
 public:
  using Found = larder::Found;
  enum class Condition {
    clean,    // closed properly: it agrees with the tree
    unclean,  // new, or not closed: reconcile before a miss means anything
  };

  // Creates the directory's content when it is empty. Errc::busy when another
  // process has it open. On disk it can be written to for a while after the disk is full; in memory, where
  // tests have it, it takes no more room than it needs, and opens quickly.
  enum class Medium { disk, memory };
  static Result<std::unique_ptr<Index>> open(const std::filesystem::path& directory, ByteSize cache,
                                             Medium medium = Medium::disk);
  ~Index();
  // Whether another process has it open.
  static bool is_open_elsewhere(const std::filesystem::path& directory);

  Condition condition() const;                           // as found by open()
  bool agrees_about(std::string_view name_space) const;  // likewise: whether clean means this one, too
  // From now on a close is a clean one, for these namespaces and those that open() found to agree and that
  // nothing was compared of since.
  void trust(const std::vector<std::string>& namespaces);
  // Tree and index have been compared, of these namespaces and no others.
  void trust_only(const std::vector<std::string>& namespaces);
  void distrust();
  Result<void> close();  // flushes; nothing may be called afterwards

  // Keeps all live names in memory from some time on, which takes 75 to 95 bytes a name: reads them
  // from the disk while others go on. Errc::too_large when they take more than `limit`, now; later it
  // ends without a word. Names of snapshots are not among them.
  Result<void> load_names(ByteSize limit, const std::stop_token& stop);
  std::uint64_t bytes_of_names() const;  // 0 while they are not in memory

  // From memory or not at all; for threads that must not wait.
  Found peek(KeyView key, Entry& entry) const;
  NameHash hash_of(KeyView key) const;
  Found peek(KeyView key, const NameHash& hash, Entry& entry) const;  // the same for who has the hash
  // Likewise, whether any name starts with `prefix` ("ns/…").
  Found peek_prefix(std::string_view prefix) const;
  Result<std::optional<NameRecord>> name(const ArtifactKey& key) const;
  // In the order of `keys`.
  Result<std::vector<std::optional<NameRecord>>> names(std::span<const ArtifactKey> keys) const;
  Result<std::optional<ObjectRecord>> object(const Digest& digest) const;

  Result<std::uint64_t> apply(const IndexChange& change);  // the ledger sequence it got
  // All of them or none, in one write; the sequence of the last one. No key comes twice.
  Result<std::uint64_t> apply(std::span<const IndexChange> changes);
  Result<void> forget_object(const Digest& digest);                             // its last link is gone
  Result<void> learn_object(const Digest& digest, const ObjectRecord& record);  // reconcile: unknown so far
  // A content that is counted for another namespace from now on, or for nobody (""); nothing happens when it
  // is unknown, or counted for a third one.
  struct Recharge {
    Digest digest;
    std::string from;
    std::string to;
  };
  Result<void> recharge(const Recharge& recharge);
  // All of them, but those of which a line of the ledger behind `since` tells: their names have changed.
  Result<void> recharge(std::span<const Recharge> all, std::uint64_t since);
  Result<void> note_verified(const Digest& digest, UnixSeconds when);  // nothing when unknown
  // Objects whose digest sorts after `after` (its raw bytes, "" for all), until `visit` returns false.
  using ObjectVisitor = std::function<bool(const Digest& digest, const ObjectRecord& record)>;
  Result<void> scan_objects(std::string_view after, const ObjectVisitor& visit) const;
  // A value that upkeep keeps over restarts, by its name.
  Result<std::optional<std::string>> note(std::string_view name) const;
  Result<void> set_note(std::string_view name, std::string_view value);
  Result<void> touch(const std::vector<std::pair<std::string_view, RecencyRecord>>& batch);
  Result<std::optional<RecencyRecord>> recency(const ArtifactKey& key) const;

  // Names that start with `prefix` ("ns/…") and sort after `after` ("" for all), until `visit` returns false.
  // `visit` may name another place to go on from, which has to sort behind the current one.
  struct Step {
    enum class Kind { next, seek, stop } kind = Kind::next;
    std::string where;  // for seek: the first key that may come next
  };
  using NameVisitor = std::function<Step(std::string_view key, const NameRecord& record)>;
  Result<void> scan_names(std::string_view prefix, std::string_view after, const NameVisitor& visit) const;
  // The same with what is known of each name's use, in one pass; `visit` returns false to end it.
  using UseVisitor = std::function<bool(std::string_view key, const NameRecord&, const RecencyRecord&)>;
  Result<void> scan_use(std::string_view prefix, const UseVisitor& visit) const;

  // Rows of a snapshot's namespace, and what they add up to: no ledger line each.
  Result<void> add_names(std::string_view space, const std::vector<std::pair<std::string, NameRecord>>& rows);
  Result<void> drop_names(std::string_view space);  // all of them

  // Names in the trash behind `after` of generation `first`, oldest generation first, until `visit` returns
  // false.
  using TrashVisitor =
      std::function<bool(std::uint64_t generation, std::string_view key, const TrashRecord& record)>;
  Result<void> scan_trash(std::uint64_t first, std::string_view after, const TrashVisitor& visit) const;
  Result<std::optional<TrashRecord>> trash(std::uint64_t generation, const ArtifactKey& key) const;
  Result<void> learn_trash(std::uint64_t generation, const ArtifactKey& key, const TrashRecord& record);
  Result<void> forget_trash(std::uint64_t generation, const ArtifactKey& key);
  Result<void> forget_trash(std::uint64_t generation, std::span<const ArtifactKey* const> keys);

  // Ledger lines with a sequence above `since`, oldest first, until `visit` returns false.
  using LedgerVisitor = std::function<bool(std::uint64_t sequence, const LedgerRecord& record)>;
  Result<void> scan_ledger(std::uint64_t since, const LedgerVisitor& visit) const;
  // The same from the newest below `below` back to the oldest.
  Result<void> scan_ledger_backwards(std::uint64_t below, const LedgerVisitor& visit) const;
  std::uint64_t last_sequence() const;
  std::uint64_t first_sequence() const;  // the oldest line that is kept; last_sequence() + 1: there is none
  // Of the ledger, by chance: the same as long as no line was lost, whose sequence would now be another
  // one's. Another one for a new index, and after each stop that was not a clean one.
  static constexpr std::uint32_t k_most_histories = (1U << 23) - 1;
  std::uint32_t history() const;
  // Drops the oldest lines, up to the first that is not from before `time`; the newest stays, because
  // sequences are counted on from it. How many went.
  Result<std::uint64_t> trim_ledger(UnixSeconds time);

  NamespaceTotals totals(std::string_view name_space) const;  // from memory

 private:
  class State;
  struct Pending;  // a batch, and what it makes of the totals
  Result<void> add(const IndexChange& change, Pending& pending) const;
  Result<void> charge(const Digest& digest, const ObjectRecord& record, Pending& pending) const;
  Result<void> move_charge(const Recharge& recharge, Pending& pending) const;

  explicit Index(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace larder
