// StoreCore and Store, the part about snapshots: snapshots/<name>/<namespace>/<path>,
// hard links to the objects, with a row each in the index under "@<name>/<namespace>/<path>",
// so that everything that reads a name reads a frozen one. A snapshot is made under a
// name that cannot be asked for (".<name>") and then renamed: it is there whole or not. One
// that is removed gets such a name again, and is cleared away behind everybody's back.
#include <unordered_set>

#include "common/sstate_name.hpp"
#include "common/tree_rules.hpp"
#include "server/store/layout.hpp"
#include "server/store/store.hpp"

namespace larder {
namespace {

constexpr std::size_t k_batch = 1024;  // rows written at once
constexpr std::size_t k_thawed = 128;  // names restored at once, their locks held together

using Rows = std::vector<std::pair<std::string, NameRecord>>;

std::string directory_of(const std::string& snapshot) {
  return layout::k_snapshots + "/" + snapshot;
}

Error busy(const std::string& name) {
  return Error(Errc::busy,
               "snapshot " + name + " is being made, removed or cleared away; try again when that is done");
}

// What belongs to a snapshot.
class Selection {
 public:
  explicit Selection(const api::SnapshotRequest& request)
      : hashes_(request.hashes.begin(), request.hashes.end()),
        everything_(request.names.empty() && request.hashes.empty()) {
    for (const std::string& each : request.names) names_.insert(std::string(group_of(each)));
  }

  bool holds(const std::string& name_space, std::string_view path) {
    if (everything_) return true;
    const std::string group = name_space + "/" + std::string(group_of(path));
    if (names_.count(group) > 0) {
      met_.insert(group);
      return true;
    }
    const auto name = parse_sstate_name(path);
    if (!name || hashes_.count(std::string(name->hash)) == 0) return false;
    met_hash_ = true;
    return true;
  }
  std::uint64_t missing_names() const { return names_.size() - met_.size(); }
  // Of some hashes there is nothing: those of tasks that leave no object, do_compile for one. Of all of them:
  // the build they are of was never here.
  bool is_of_another_build() const { return !hashes_.empty() && !met_hash_; }

 private:
  std::unordered_set<std::string> names_;  // of groups
  std::unordered_set<std::string> hashes_;
  std::unordered_set<std::string> met_;  // of names_
  bool met_hash_ = false;
  const bool everything_;
};

}  // namespace

Result<void> StoreCore::learn_snapshots() {
  std::vector<std::string> names;
  LARDER_TRY(disk.list(layout::k_snapshots, [&](const DirectoryEntry& entry) {
    if (entry.type == FileType::directory && is_snapshot_name(entry.name)) names.push_back(entry.name);
    return true;
  }));
  for (const std::string& name : names) {
    std::vector<std::string> spaces;
    LARDER_TRY(disk.list(directory_of(name), [&](const DirectoryEntry& entry) {
      if (entry.type == FileType::directory) spaces.push_back(entry.name);
      return true;
    }));
    snapshots.add(name, std::move(spaces));
  }
  return {};
}

// A lane is in a snapshot, too, in which only what it overlays is.
bool StoreCore::is_in_snapshot(const NamespaceConfig& config, std::string_view snapshot) const {
  return snapshots.holds(snapshot, config.name) ||
         (!config.overlay.empty() && snapshots.holds(snapshot, config.overlay));
}

// Files, then the directory. Each object goes with its last link, as its row tells which it is.
Result<void> StoreCore::clear_frozen(const std::string& path, const std::string& space_prefix,
                                     const std::stop_token& stop) {
  std::vector<DirectoryEntry> entries;
  LARDER_TRY(disk.list(path, [&](const DirectoryEntry& entry) {
    entries.push_back(entry);
    return true;
  }));
  for (const DirectoryEntry& entry : entries) {
    if (stop.stop_requested())
      return Error(Errc::cancelled, "clearing a snapshot was stopped; it goes on later");
    const std::string below = path + "/" + entry.name;
    const std::string key_text = space_prefix + entry.name;
    if (entry.type == FileType::directory) {
      LARDER_TRY(clear_frozen(below, key_text + "/", stop));
      continue;
    }
    const auto key = ArtifactKey::parse(key_text);
    const auto row = key ? index->name(*key) : Result<std::optional<NameRecord>>(std::optional<NameRecord>());
    LARDER_TRY(disk.remove(below));
    if (row && *row && (*row)->size > 0) collect((*row)->digest);
  }
  return disk.remove_directory(path);
}

// Gives `frozen` the bytes of a row, as a link.
Result<void> StoreCore::freeze(const ArtifactKey& live, const NameRecord& row, const std::string& frozen) {
  if (row.size == 0) {
    LARDER_TRY(make_directories(disk, parent_of(frozen)));
    LARDER_TRY_ASSIGN(const auto file, disk.create(frozen));
    return file->seal();
  }
  const auto place = [&](const std::string& path) {
    return copy_bytes(layout::tree_path(live), row.digest, path);
  };
  const auto linked = objects.link(row.digest, row.size, place, frozen);
  if (!linked) return linked.error();
  return {};
}

Result<api::SnapshotStat> Store::create_snapshot(const api::SnapshotRequest& request,
                                                 const std::string& actor, const std::stop_token& stop) {
  const std::string& name = request.name;
  if (!is_snapshot_name(name))
    return Error(Errc::invalid_name,
                 "a snapshot is called by letters, digits, '.', '_' and '-', at most 64, not '" + name + "'");
  std::vector<std::string> namespaces = request.namespaces;
  if (namespaces.empty()) {
    for (const NamespaceConfig& each : core_->options.namespaces) namespaces.push_back(each.name);
  }
  for (const std::string& each : namespaces) {
    if (each.starts_with('@') || core_->find_namespace(each) == nullptr)
      return Error(Errc::not_found, "there is no namespace '" + each + "'");
  }
  if (!core_->index_complete)
    return Error(Errc::busy,
                 "tree and index are being compared after an unclean stop; try again when that is done");
  const auto turn = core_->snapshots.take_turn(name);
  if (!turn) return busy(name);
  if (core_->snapshots.holds(name)) return Error(Errc::exists, "there is a snapshot " + name + " already");

  const std::string hidden = directory_of("." + name);
  if (core_->disk.status(hidden))
    return Error(Errc::busy, "an earlier snapshot " + name + " is still being cleared away; try again soon");
  LARDER_TRY(drop_snapshot_rows(name));
  LARDER_TRY(core_->disk.make_directory(hidden));
  api::SnapshotStat stat;
  stat.name = name;
  const auto fill = [&]() -> Result<void> {
    Selection selection(request);
    for (const std::string& each : namespaces) {
      LARDER_TRY_ASSIGN(const api::SnapshotStat::Space space, fill_snapshot(name, each, selection, stop));
      if (space.artifacts > 0) stat.namespaces.push_back(space);
    }
    if (selection.is_of_another_build())
      return Error(Errc::invalid_argument, "nothing here has one of the " +
                                               std::to_string(request.hashes.size()) +
                                               " hashes that were given; there is no snapshot");
    stat.missing = selection.missing_names();
    if (core_->options.durability != Durability::none) LARDER_TRY(core_->disk.sync_all());
    LARDER_TRY(core_->disk.publish(hidden, directory_of(name)));
    return core_->directories.sync({layout::k_snapshots});
  };
  const Result<void> filled = fill();
  if (!filled) {
    (void)core_->disk.publish(directory_of(name), hidden);  // when it was the last step that failed
    (void)clear_snapshot(name, stop);  // what a stop leaves of it, the next start clears away
    return filled.error();
  }
  stat.created = core_->clock.now();
  std::vector<std::string> spaces;
  for (const api::SnapshotStat::Space& each : stat.namespaces) spaces.push_back(each.name);
  core_->snapshots.add(name, std::move(spaces));
  LARDER_TRY(core_->tell_ledger(LedgerAction::snapshot, {"@" + name}, actor));
  return stat;
}

// Links first, rows behind them: a row of a snapshot that is not there yet answers nobody.
template <typename Chooser>
Result<api::SnapshotStat::Space> Store::fill_snapshot(const std::string& snapshot,
                                                      const std::string& name_space, Chooser& chooser,
                                                      const std::stop_token& stop) {
  api::SnapshotStat::Space space;
  space.name = name_space;
  const std::string prefix = name_space + "/";
  const std::string frozen = "@" + snapshot + "/" + name_space;
  Rows rows;
  Result<void> failed;
  const auto flush = [&]() -> Result<void> {
    if (rows.empty()) return {};
    LARDER_TRY(core_->index->add_names(frozen, rows));
    rows.clear();
    return {};
  };
  LARDER_TRY(core_->index->scan_names(prefix, {}, [&](std::string_view text, const NameRecord& row) {
    Index::Step step;
    const std::string_view path = text.substr(prefix.size());
    if (stop.stop_requested()) {
      failed = Error(Errc::cancelled, "the snapshot was stopped; there is none");
      step.kind = Index::Step::Kind::stop;
      return step;
    }
    if (!chooser.holds(name_space, path)) return step;
    const auto live = ArtifactKey::parse(text);
    if (!live) return step;
    const std::string place = layout::k_snapshots + "/." + snapshot + "/" + std::string(text);
    failed = core_->freeze(*live, row, place);
    if (!failed && (failed.error().code() == Errc::not_found || failed.error().code() == Errc::busy)) {
      failed = {};  // removed or replaced while we came
      return step;
    }
    if (failed) {
      ++space.artifacts;
      space.bytes += row.size;
      rows.emplace_back(frozen + "/" + std::string(path), row);
      if (rows.size() == k_batch) failed = flush();
    }
    if (!failed) step.kind = Index::Step::Kind::stop;
    return step;
  }));
  LARDER_TRY(failed);
  LARDER_TRY(flush());
  return space;
}

api::SnapshotStat Store::stat_of_snapshot(const std::string& name) const {
  api::SnapshotStat stat;
  stat.name = name;
  const auto status = core_->disk.status(directory_of(name));
  if (status) stat.created = status->modified;
  for (const NamespaceConfig& each : core_->options.namespaces) {
    const NamespaceTotals totals = core_->index->totals("@" + name + "/" + each.name);
    if (totals.artifacts > 0) stat.namespaces.push_back({each.name, totals.artifacts, totals.logical_bytes});
  }
  return stat;
}

std::vector<api::SnapshotStat> Store::snapshots() const {
  std::vector<api::SnapshotStat> all;
  for (const std::string& name : core_->snapshots.all()) all.push_back(stat_of_snapshot(name));
  return all;
}

bool Store::has_snapshot(std::string_view name) const {
  return core_->snapshots.holds(name);
}

std::vector<std::string> Store::spaces_of_snapshot(std::string_view name) const {
  std::vector<std::string> spaces;
  for (const NamespaceConfig& each : core_->options.namespaces) {
    if (core_->is_in_snapshot(each, name)) spaces.push_back(each.name);
  }
  return spaces;
}

Result<void> Store::drop_snapshot_rows(const std::string& name) {
  for (const NamespaceConfig& each : core_->options.namespaces)
    LARDER_TRY(core_->index->drop_names("@" + name + "/" + each.name));
  return {};
}

Result<void> Store::clear_snapshot(const std::string& name, const std::stop_token& stop) {
  LARDER_TRY(core_->clear_frozen(directory_of("." + name), "@" + name + "/", stop));
  return drop_snapshot_rows(name);
}

Result<void> Store::clear_snapshots(const std::stop_token& stop) {
  std::vector<std::string> hidden;
  LARDER_TRY(core_->disk.list(layout::k_snapshots, [&](const DirectoryEntry& entry) {
    if (entry.type == FileType::directory && entry.name.starts_with('.'))
      hidden.push_back(entry.name.substr(1));
    return true;
  }));
  for (const std::string& name : hidden) {
    const auto turn = core_->snapshots.take_turn(name);
    // One that is being made, or has been made since it was found.
    if (!turn || !core_->disk.status(directory_of("." + name))) continue;
    LARDER_TRY(clear_snapshot(name, stop));
  }
  return {};
}

Result<api::SnapshotStat> Store::remove_snapshot(const std::string& name, const std::string& actor) {
  const Error unknown(Errc::not_found, "there is no snapshot " + name);
  if (!core_->snapshots.holds(name)) return unknown;
  const auto turn = core_->snapshots.take_turn(name);
  if (!turn) return busy(name);
  if (!core_->snapshots.holds(name)) return unknown;  // gone while we came
  const api::SnapshotStat stat = stat_of_snapshot(name);
  std::vector<std::string> spaces = core_->snapshots.remove(name);  // from now on a miss
  const auto hidden = core_->disk.publish(directory_of(name), directory_of("." + name));
  if (!hidden) {
    core_->snapshots.add(name, std::move(spaces));
    return hidden.error();
  }
  LARDER_TRY(core_->directories.sync({layout::k_snapshots}));
  LARDER_TRY(core_->tell_ledger(LedgerAction::unsnapshot, {"@" + name}, actor));
  return stat;
}

Result<api::RestoreResult> Store::restore_snapshot(const std::string& name, const std::string& actor,
                                                   const std::stop_token& stop) {
  if (!core_->snapshots.holds(name)) return Error(Errc::not_found, "there is no snapshot " + name);
  api::RestoreResult result;
  for (const NamespaceConfig& each : core_->options.namespaces) {
    const std::string prefix = "@" + name + "/" + each.name + "/";
    std::string after;
    for (bool more = true; more;) {
      Rows page;
      LARDER_TRY(core_->index->scan_names(prefix, after, [&](std::string_view key, const NameRecord& row) {
        page.emplace_back(key, row);
        Index::Step step;
        if (page.size() == k_thawed) step.kind = Index::Step::Kind::stop;
        return step;
      }));
      if (stop.stop_requested())
        return Error(Errc::cancelled,
                     "restoring was stopped; what is back is back, and doing it again goes on");
      LARDER_TRY(core_->thaw(page, actor, result));
      more = page.size() == k_thawed;
      if (more) after = page.back().first;
    }
  }
  return result;
}

// Names of a snapshot back into their namespaces, unless other bytes are there.
Result<void> StoreCore::thaw(std::span<const std::pair<std::string, NameRecord>> frozen,
                             const std::string& actor, api::RestoreResult& result) {
  std::vector<ArtifactKey> live;
  std::vector<const ArtifactKey*> keys;
  live.reserve(frozen.size());
  keys.reserve(frozen.size());
  for (const auto& [text, row] : frozen) {
    LARDER_TRY_ASSIGN(const ArtifactKey source, ArtifactKey::parse(text));
    LARDER_TRY_ASSIGN(ArtifactKey key, ArtifactKey::make(namespace_of(source.name_space()), source.path()));
    live.push_back(std::move(key));
  }
  for (const ArtifactKey& each : live) keys.push_back(&each);
  const auto locks = lock_with_archives(keys);
  std::vector<Placed> placed;
  Result<void> failed;
  for (std::size_t i = 0; i < live.size() && failed; ++i)
    failed = place_frozen(frozen[i].first, frozen[i].second, live[i], actor, placed, result);
  LARDER_TRY(record_placed(placed));
  result.restored += placed.size();
  for (const ArtifactKey& each : live) note(each, Access::seen);
  return failed;
}

Result<void> StoreCore::place_frozen(const std::string& frozen, const NameRecord& row,
                                     const ArtifactKey& live, const std::string& actor,
                                     std::vector<Placed>& placed, api::RestoreResult& result) {
  LARDER_TRY_ASSIGN(const ArtifactKey source, ArtifactKey::parse(frozen));
  LARDER_TRY_ASSIGN(const bool is_stale, frozen_signs_another(source, live, row, placed));
  if (is_stale) ++result.conflicts;
  if (is_stale) return {};
  Content content;
  content.digest = row.digest;
  content.size = row.size;
  content.place = [&](const std::string& path) -> Result<void> {
    const std::string from = layout::tree_path(source);
    return row.size == 0 ? disk.link(from, path) : copy_bytes(from, row.digest, path);
  };
  Origin origin;
  origin.actor = actor;
  origin.action = LedgerAction::restore;
  origin.declared = row.declared;
  origin.keep_existing = true;
  origin.record = row;
  Placed place;
  const auto settled = place_name(live, content, origin, place);
  if (!settled && settled.error().code() != Errc::conflict) return settled.error();
  if (!settled || (*settled && (*settled)->outcome == Receipt::Outcome::conflict))
    ++result.conflicts;
  else if (*settled)
    ++result.present;
  else
    placed.push_back(std::move(place));
  return {};
}

}  // namespace larder
