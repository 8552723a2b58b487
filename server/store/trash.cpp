// StoreCore and Store, the part about what was removed and can still come back:
// trash/<generation>/<namespace>/<path>, hard links as in the tree, with a row each
// that keeps what the name's row said.
#include <algorithm>
#include <charconv>

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

Result<Receipt> StoreCore::restore(std::uint64_t generation, const ArtifactKey& key,
                                   const std::string& actor) {
  LARDER_TRY_ASSIGN(const std::optional<TrashRecord> row, index->trash(generation, key));
  if (!row) return Error(Errc::not_found, "the trash has no " + key.str());
  const std::string trash = layout::trash_path(generation, key);
  const auto status = disk.status(trash);
  if (!status && status.error().code() == Errc::not_found) {  // a crash, or somebody empties the trash
    LARDER_TRY(index->forget_trash(generation, key));
    return Error(Errc::not_found, "the trash has no " + key.str());
  }
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
  LARDER_TRY_ASSIGN(Receipt receipt, publish(key, content, origin));
  if (receipt.outcome == Receipt::Outcome::conflict) return receipt;
  note(key, Access::seen);  // somebody wants it: the next prune does not take it again
  LARDER_TRY(purge(generation, key));
  return receipt;
}

Result<std::uint64_t> StoreCore::purge(std::uint64_t generation, const ArtifactKey& key) {
  const auto lock = key_locks.lock(key);
  LARDER_TRY_ASSIGN(const std::optional<TrashRecord> row, index->trash(generation, key));
  if (!row) return std::uint64_t{0};
  const std::string trash = layout::trash_path(generation, key);
  const Result<void> removed = disk.remove(trash);
  if (!removed && removed.error().code() != Errc::not_found) return removed.error();
  LARDER_TRY(index->forget_trash(generation, key));
  directories.remove_empty(parent_of(trash), layout::k_trash);
  std::uint64_t freed = 0;
  if (row->name.size == 0) return freed;
  contents.evict(row->name.digest);  // what is open takes space
  LARDER_TRY(objects.collect(row->name.digest, [&] {
    freed = row->name.size;
    (void)index->forget_object(row->name.digest);
  }));
  return freed;
}

namespace {

struct TrashName {
  std::uint64_t generation = 0;
  ArtifactKey key;
  TrashRecord record;
};

enum class Choice { take, skip, stop };
using Chooser =
    std::function<Choice(std::uint64_t generation, std::string_view key, const TrashRecord& record)>;

// Calls `move` for what `choose` takes, a page at a time, because moving changes what is scanned.
Result<void> each_in_trash(StoreCore& core, std::uint64_t first, const Chooser& choose,
                           const std::function<Result<void>(const TrashName&)>& move,
                           const std::stop_token& stop) {
  constexpr std::size_t k_page = 512;
  std::string after;
  for (bool more = true; more && !stop.stop_requested();) {
    more = false;
    std::vector<TrashName> page;
    const auto visit = [&](std::uint64_t generation, std::string_view text, const TrashRecord& row) {
      const Choice choice = choose(generation, text, row);
      if (choice == Choice::stop) return false;
      first = generation;
      after = text;
      auto key = ArtifactKey::parse(text);
      if (choice == Choice::take && key) page.push_back({generation, std::move(*key), row});
      more = page.size() == k_page;
      return !more;
    };
    const std::uint64_t from = first;
    const std::string behind = after;
    LARDER_TRY(core.index->scan_trash(from, behind, visit));
    for (const TrashName& each : page) LARDER_TRY(move(each));
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

Result<api::TrashEvent> Store::undo(std::uint64_t generation, const std::string& actor) {
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
  const auto put_back = [&](const TrashName& each) -> Result<void> {
    const auto receipt = core_->restore(each.generation, each.key, actor);
    if (!receipt && receipt.error().code() == Errc::not_found) return {};
    if (!receipt && receipt.error().code() != Errc::conflict) return receipt.error();
    if (!receipt || receipt->outcome == Receipt::Outcome::conflict) {
      ++event.refused;
      return {};
    }
    ++event.names;
    event.bytes += each.record.name.size;
    return {};
  };
  LARDER_TRY(each_in_trash(*core_, generation, choose, put_back, {}));
  if (event.names + event.refused == 0)
    return Error(Errc::not_found, generation == 0
                                      ? "the trash is empty"
                                      : "the trash has no generation " + std::to_string(generation));
  return event;
}

Result<api::TrashEvent> Store::empty_trash(const TrashSelection& selection, const std::stop_token& stop) {
  api::TrashEvent event;
  event.generation = selection.generation;
  const auto choose = [&](std::uint64_t generation, std::string_view key, const TrashRecord& row) {
    if (selection.generation != 0 && generation != selection.generation) return Choice::stop;
    if (selection.enough && event.freed >= *selection.enough) return Choice::stop;
    if (!selection.name_space.empty() && !key.starts_with(selection.name_space + "/")) return Choice::skip;
    return selection.removed_before && row.removed >= *selection.removed_before ? Choice::skip : Choice::take;
  };
  const auto purge = [&](const TrashName& each) -> Result<void> {
    if (selection.enough && event.freed >= *selection.enough) return {};
    LARDER_TRY_ASSIGN(const std::uint64_t freed, core_->purge(each.generation, each.key));
    ++event.names;
    event.bytes += each.record.name.size;
    event.freed += freed;
    return {};
  };
  LARDER_TRY(each_in_trash(*core_, selection.generation, choose, purge, stop));
  return event;
}

}  // namespace larder
