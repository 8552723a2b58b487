// StoreCore, the part that takes names away: out of the tree, then out of the index, and
// the object last, when that was its last name. One at a time into the trash, or many at
// once, into the trash or for good.
#include <algorithm>
#include <unordered_set>

#include "server/store/layout.hpp"
#include "server/store/store_core.hpp"

namespace larder {

Result<Entry> StoreCore::remove(const ArtifactKey& key, const Removal& removal) {
  LARDER_TRY(check_live(key));
  const auto lock = key_locks.lock(key);
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> existing, find_locked(key));
  if (!existing) return Error(Errc::not_found, "there is no " + key.str());
  return remove_locked(key, *existing, removal);
}

Result<Entry> StoreCore::remove_locked(const ArtifactKey& key, const NameRecord& row,
                                       const Removal& removal) {
  LARDER_TRY_ASSIGN(const TakenOut taken, take_out(key, row, removal, Into::trash));
  LARDER_TRY(record_taken_out(std::span(&taken, 1), Into::trash, Sync::now));
  if (taken.vanished) return Error(Errc::not_found, "there is no " + key.str());
  return to_entry(row);
}

Result<std::uint64_t> StoreCore::remove_all(std::span<Doomed> names, const Removal& removal, Into into) {
  std::vector<const ArtifactKey*> keys;
  keys.reserve(names.size());
  for (const Doomed& each : names) {
    LARDER_TRY(check_live(each.key));
    keys.push_back(&each.key);
  }
  const auto locks = key_locks.lock_all(keys);
  std::vector<TakenOut> all;
  std::vector<Doomed*> out;
  Result<void> failed;
  for (Doomed& each : names) {
    auto row = find_locked(each.key);
    if (!row) failed = row.error();
    if (!row) break;
    if (!*row || (*row)->digest != each.digest || (*row)->stored != each.stored) continue;
    auto taken = take_out(each.key, **row, removal, into);
    if (!taken) failed = taken.error();
    if (!taken) break;
    all.push_back(std::move(*taken));
    if (!all.back().vanished) out.push_back(&each);
  }
  std::uint64_t freed = 0;
  if (!all.empty()) {
    LARDER_TRY_ASSIGN(freed, record_taken_out(all, into, Sync::never));
  }
  for (Doomed* each : out) each->gone = true;
  LARDER_TRY(failed);
  return freed;
}

// Out of the tree. Errc::no_space: only the trash needs room.
Result<StoreCore::TakenOut> StoreCore::take_out(const ArtifactKey& key, const NameRecord& row,
                                                const Removal& removal, Into into) {
  // What goes for good needs no room on the disk, and may be back after a power cut.
  const Result<void> settled = settle(key, row.digest);
  if (into == Into::trash) LARDER_TRY(settled);
  const std::uint64_t generation = into == Into::nothing     ? 0
                                   : removal.generation != 0 ? removal.generation
                                                             : new_generation();
  const std::string name = layout::tree_path(key);
  const Result<void> moved = into == Into::nothing
                                 ? disk.remove(name)
                                 : move_file(name, layout::trash_path(generation, key), Existing::replace);
  if (!moved && moved.error().code() == Errc::no_space)
    return Error(Errc::no_space, "cannot move " + key.str() +
                                     " to the trash: the disk is full; 'larder trash empty' or 'larder "
                                     "prune --no-trash' make room (" +
                                     moved.error().message() + ")");
  if (!moved && moved.error().code() != Errc::not_found) return moved.error();
  TakenOut taken;
  taken.key = &key;
  taken.row = row;
  taken.vanished = !moved;
  taken.change = change_of(key, moved ? LedgerAction::remove : LedgerAction::vanished, row.digest, row.size);
  taken.change.ledger.actor = removal.actor;
  taken.change.ledger.why = removal.why;
  if (moved) taken.change.trash = generation;
  return taken;
}

// What cannot be recorded comes back from the trash: the error means that nothing changed. What was
// removed for good stays away: the tree is the truth, and the index learns of it later.
Result<std::uint64_t> StoreCore::record_taken_out(std::span<const TakenOut> all, Into into, Sync sync) {
  std::vector<std::string> changed;
  std::vector<IndexChange> changes;
  std::vector<const NameRecord*> rows;
  changes.reserve(all.size());
  rows.reserve(all.size());
  for (const TakenOut& each : all) {
    changes.push_back(each.change);
    rows.push_back(&each.row);
    if (each.vanished || sync == Sync::never) continue;
    changed.push_back(parent_of(layout::trash_path(each.change.trash, *each.key)));
    changed.push_back(parent_of(layout::tree_path(*each.key)));
  }
  std::uint64_t freed = 0;
  Result<void> recorded = directories.sync(changed);
  if (recorded) {
    auto sequence = index->apply(changes);
    if (!sequence && into == Into::nothing && sequence.error().code() == Errc::no_space) {
      freed = free_objects(rows);  // makes the room that the index needs
      sequence = index->apply(changes);
      // Still too little: the next ones make more of it, and until then the tree is asked.
      if (!sequence) distrust_index();
      if (!sequence) sequence = std::uint64_t{0};
    }
    if (!sequence) recorded = sequence.error();
  }
  if (!recorded) {
    for (const TakenOut& each : all) put_back(each);
    // Whatever the disk called it: that the name is missing it does not mean.
    if (recorded.error().code() == Errc::not_found) return Error(Errc::io, recorded.error().message());
    return recorded.error();
  }
  for (const TakenOut& each : all) {
    recency.forget(index->hash_of(*each.key));
    contents.evict(each.row.digest);
    directories.remove_empty(parent_of(layout::tree_path(*each.key)),
                             layout::namespace_path(each.key->name_space()));
  }
  if (into == Into::nothing) freed = std::max(freed, free_objects(rows));
  return freed;
}

void StoreCore::put_back(const TakenOut& taken) {
  if (taken.vanished) return;
  const bool was_kept = taken.change.trash != 0;
  if (was_kept && move_file(layout::trash_path(taken.change.trash, *taken.key), layout::tree_path(*taken.key),
                            Existing::keep))
    return;
  distrust_index();
}

std::uint64_t StoreCore::free_objects(const std::vector<const NameRecord*>& rows) {
  std::uint64_t freed = 0;
  std::unordered_set<Digest> done;
  for (const NameRecord* row : rows) {
    if (row->size == 0 || !done.insert(row->digest).second) continue;
    contents.evict(row->digest);  // what is open takes space
    (void)objects.collect(row->digest, [&] {
      freed += row->size;
      (void)index->forget_object(row->digest);
    });
  }
  return freed;
}

}  // namespace larder
