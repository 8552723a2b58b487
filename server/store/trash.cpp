// StoreCore and Store, the part about what was removed and can still come back:
// trash/<generation>/<namespace>/<path>, hard links as in the tree, with a row each
// that keeps what the name's row said.
#include <algorithm>
#include <charconv>
#include <utility>

#include "server/store/layout.hpp"
#include "server/store/store.hpp"

namespace larder {

// Higher than any that the index or the trash has seen, so that nothing in it is overwritten.
std::uint64_t StoreCore::new_generation() {
  std::uint64_t last = last_generation_;
  std::uint64_t next = 0;
  do {
    next = std::max(last, index->last_sequence()) + 1;
  } while (!last_generation_.compare_exchange_weak(last, next));
  return next;
}

Result<void> StoreCore::learn_generations() {
  std::uint64_t highest = last_generation_;
  const auto learn = [&](const DirectoryEntry& entry) {
    std::uint64_t number = 0;
    const char* const end = entry.name.data() + entry.name.size();
    const auto parsed = std::from_chars(entry.name.data(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) highest = std::max(highest, number);
    return true;
  };
  LARDER_TRY(disk.list(layout::k_trash, learn));
  LARDER_TRY(disk.list(layout::k_quarantine, learn));
  last_generation_ = highest;
  return {};
}

namespace {

std::vector<const NameRecord*> pointers_to(const std::vector<NameRecord>& rows) {
  std::vector<const NameRecord*> pointers;
  pointers.reserve(rows.size());
  for (const NameRecord& each : rows) pointers.push_back(&each);
  return pointers;
}

}  // namespace

Result<void> StoreCore::restore(std::uint64_t generation, std::span<const Kept> names,
                                const std::string& actor, api::TrashEvent& event) {
  std::vector<const ArtifactKey*> keys;
  keys.reserve(names.size());
  for (const Kept& each : names) keys.push_back(&each.key);
  std::vector<Kept> back;
  {
    const auto locks = lock_with_archives(keys);
    std::vector<Placed> placed;
    const Result<void> all_placed = place_kept(generation, names, actor, placed, back, event);
    if (!placed.empty()) LARDER_TRY(record_placed(placed));
    for (const Kept& each : back) {
      // Somebody wants it: the next prune does not take it again.
      note(each.key, Access::seen);
      ++event.names;
      event.bytes += each.record.name.size;
    }
    LARDER_TRY(all_placed);
  }
  LARDER_TRY(purge(generation, back, Objects::have_names));
  return {};
}

// Links what can be linked. `placed` waits to be recorded, `back` is what needs no place in the trash then.
Result<void> StoreCore::place_kept(std::uint64_t generation, std::span<const Kept> names,
                                   const std::string& actor, std::vector<Placed>& placed,
                                   std::vector<Kept>& back, api::TrashEvent& event) {
  for (const Kept& each : names) {
    LARDER_TRY_ASSIGN(const std::optional<TrashRecord> row, index->trash(generation, each.key));
    if (!row) continue;
    const std::string trash = layout::trash_path(generation, each.key);
    const auto status = disk.status(trash);
    if (!status && status.error().code() == Errc::not_found) {  // a crash, or somebody empties the trash
      LARDER_TRY(index->forget_trash(generation, each.key));
      continue;
    }
    LARDER_TRY_ASSIGN(const bool is_stale, kept_signs_another(generation, each.key, *row, placed));
    if (is_stale) ++event.refused;
    if (is_stale) continue;
    Content content;
    content.digest = row->name.digest;
    content.size = row->name.size;
    content.place = [&](const std::string& path) -> Result<void> {
      return content.size == 0 ? disk.link(trash, path) : copy_bytes(trash, content.digest, path);
    };
    Origin origin;
    origin.actor = actor;
    origin.action = LedgerAction::restore;
    origin.declared = row->name.declared;
    origin.keep_existing = true;
    origin.record = row->name;
    Placed place;
    const auto settled = place_name(each.key, content, origin, place);
    if (!settled && settled.error().code() == Errc::not_found) continue;  // its namespace is gone
    if (!settled && settled.error().code() != Errc::conflict) return settled.error();
    if (!settled || (*settled && (*settled)->outcome == Receipt::Outcome::conflict)) {
      ++event.refused;
      continue;
    }
    if (!*settled) placed.push_back(std::move(place));
    back.push_back(each);
  }
  return {};
}

Result<std::uint64_t> StoreCore::purge(std::uint64_t generation, std::span<const Kept> names,
                                       Objects of_names) {
  std::vector<const ArtifactKey*> keys;
  keys.reserve(names.size());
  for (const Kept& each : names) keys.push_back(&each.key);
  const auto locks = key_locks.lock_all(keys);
  std::vector<NameRecord> gone;
  Result<void> failed;
  for (const Kept& each : names) {
    auto row = index->trash(generation, each.key);
    const Result<void> removed = row ? disk.remove(layout::trash_path(generation, each.key)) : row.error();
    if (!removed && removed.error().code() != Errc::not_found) failed = removed;
    if (!failed) break;
    if (*row) gone.push_back(std::move((*row)->name));
  }
  if (failed) failed = index->forget_trash(generation, keys);
  std::uint64_t freed = 0;
  if (of_names == Objects::may_go) freed = free_objects(pointers_to(gone));
  // A full disk: there is room now. If not, rows without files stay, until somebody meets them.
  if (!failed && failed.error().code() == Errc::no_space) {
    failed = index->forget_trash(generation, keys);
    if (!failed && failed.error().code() == Errc::no_space) failed = {};
    (void)free_objects(pointers_to(gone));  // their records, that could not be written before
  }
  const Result<void> forgotten = failed;
  LARDER_TRY(forgotten);
  for (const Kept& each : names)
    directories.remove_empty(parent_of(layout::trash_path(generation, each.key)), layout::k_trash);
  return freed;
}

Result<void> StoreCore::tell_emptied(std::uint64_t generation, std::uint64_t bytes, const std::string& actor,
                                     const std::string& why) {
  IndexChange change;
  change.ledger.time = clock.now();
  change.ledger.action = LedgerAction::empty;
  change.ledger.key = "@trash/" + std::to_string(generation);
  change.ledger.size = bytes;
  change.ledger.actor = actor;
  change.ledger.why = why;
  const auto told = index->apply(change);
  if (!told && told.error().code() != Errc::no_space) return told.error();
  return {};
}

namespace {

constexpr std::size_t k_batch = 128;  // names whose locks are held at once

enum class Choice { take, skip, move_first, stop };  // move_first: what is taken up to here, then ask again
using Chooser =
    std::function<Choice(std::uint64_t generation, std::string_view key, const TrashRecord& record)>;
// Names of one generation, some at a time.
using Mover = std::function<Result<void>(std::uint64_t generation, std::span<const StoreCore::Kept> names)>;

// Calls `move` for what `choose` takes, some at a time, because moving changes what is scanned.
Result<void> each_in_trash(StoreCore& core, std::uint64_t first, const Chooser& choose, const Mover& move,
                           const std::stop_token& stop) {
  std::string after;
  for (bool more = true; more;) {
    if (stop.stop_requested())
      return Error(Errc::cancelled, "it was stopped; what is done is done, and doing it again goes on");
    more = false;
    std::vector<StoreCore::Kept> page;
    std::uint64_t generation_of_page = 0;
    const auto visit = [&](std::uint64_t generation, std::string_view text, const TrashRecord& row) {
      const Choice choice = choose(generation, text, row);
      if (choice == Choice::stop) return false;
      more = choice == Choice::move_first || page.size() == k_batch ||
             (!page.empty() && generation != generation_of_page);
      if (more) return false;
      first = generation;
      after = text;
      auto key = ArtifactKey::parse(text);
      if (choice == Choice::take && key) page.push_back({std::move(*key), row});
      generation_of_page = generation;
      return true;
    };
    const std::uint64_t from = first;
    const std::string behind = after;
    LARDER_TRY(core.index->scan_trash(from, behind, visit));
    if (!page.empty()) LARDER_TRY(move(generation_of_page, page));
  }
  return {};
}

}  // namespace

Result<void> Store::list_trash(const std::function<bool(const api::TrashGeneration&)>& visit) const {
  api::TrashGeneration current;
  bool wanted = true;
  const auto close = [&] {
    if (current.names > 0) wanted = visit(current);
    current = api::TrashGeneration();
  };
  LARDER_TRY(core_->index->scan_trash(
      0, {}, [&](std::uint64_t generation, std::string_view key, const TrashRecord& row) {
        if (generation != current.generation) close();
        if (!wanted) return false;
        if (current.names == 0) {
          current.generation = generation;
          current.removed = row.removed;
          current.actor = row.actor;
          current.why = row.why;
          current.first = key;
        }
        ++current.names;
        current.bytes += row.name.size;
        return true;
      }));
  if (wanted) close();
  return {};
}

Result<api::TrashEvent> Store::undo(std::uint64_t generation, const std::string& actor,
                                    const std::stop_token& stop) {
  if (generation == 0) {  // the newest
    LARDER_TRY(
        core_->index->scan_trash(0, {}, [&](std::uint64_t found, std::string_view, const TrashRecord&) {
          generation = std::max(generation, found);
          return true;
        }));
  }
  api::TrashEvent event;
  event.generation = generation;
  const auto choose = [&](std::uint64_t found, std::string_view, const TrashRecord&) {
    return found == generation ? Choice::take : Choice::stop;
  };
  const auto put_back = [&](std::uint64_t from, std::span<const StoreCore::Kept> names) {
    return core_->restore(from, names, actor, event);
  };
  LARDER_TRY(each_in_trash(*core_, generation, choose, put_back, stop));
  if (event.names + event.refused == 0)
    return Error(Errc::not_found, generation == 0
                                      ? "the trash is empty"
                                      : "the trash has no generation " + std::to_string(generation));
  return event;
}

Result<api::TrashEvent> Store::empty_trash(const TrashSelection& selection, const std::stop_token& stop) {
  api::TrashEvent event;
  event.generation = selection.generation;
  std::uint64_t expected = 0;  // freed by those that are chosen, at most
  const auto choose = [&](std::uint64_t generation, std::string_view key, const TrashRecord& row) {
    if (selection.generation != 0 && generation != selection.generation) return Choice::stop;
    if (selection.enough && event.freed >= *selection.enough) return Choice::stop;
    if (selection.enough && event.freed + expected >= *selection.enough) return Choice::move_first;
    if (!selection.name_space.empty() && !key.starts_with(selection.name_space + "/")) return Choice::skip;
    if (selection.removed_before && row.removed >= *selection.removed_before) return Choice::skip;
    expected += row.name.size;
    return Choice::take;
  };
  std::uint64_t current = 0;  // generation; 0: none yet
  std::uint64_t bytes = 0;    // of its names that are gone
  const auto tell = [&]() -> Result<void> {
    if (current == 0) return {};
    return core_->tell_emptied(current, std::exchange(bytes, 0), selection.actor, selection.why);
  };
  const auto purge = [&](std::uint64_t generation, std::span<const StoreCore::Kept> names) -> Result<void> {
    expected = 0;
    LARDER_TRY_ASSIGN(const std::uint64_t freed, core_->purge(generation, names));
    if (generation != current) LARDER_TRY(tell());
    current = generation;
    event.names += names.size();
    for (const StoreCore::Kept& each : names) bytes += each.record.name.size;
    for (const StoreCore::Kept& each : names) event.bytes += each.record.name.size;
    event.freed += freed;
    return {};
  };
  const Result<void> emptied = each_in_trash(*core_, selection.generation, choose, purge, stop);
  LARDER_TRY(tell());  // of what went, whatever ended it
  LARDER_TRY(emptied);
  return event;
}

}  // namespace larder
