#include "server/store/store_core.hpp"

#include <algorithm>

#include "common/hasher.hpp"
#include "common/name_list.hpp"
#include "server/store/layout.hpp"

namespace larder {
namespace {

Quota::Limits limits_of(const StoreOptions& options) {
  Quota::Limits limits;
  for (const NamespaceConfig& each : options.namespaces) limits[each.name] = each.max_size;
  return limits;
}

Quota::Sources sources_of(FileSystem& disk, const Index& index) {
  Quota::Sources sources;
  sources.disk_space = [&disk] { return disk.space(); };
  sources.used_bytes = [&index](const std::string& name) { return index.totals(name).physical_bytes; };
  return sources;
}

}  // namespace

Entry to_entry(const NameRecord& record) {
  return {record.digest, record.size, record.stored};
}

StoreCore::StoreCore(FileSystem& disk_of_store, const Clock& clock_of_store,
                     std::unique_ptr<Index> index_of_store, StoreOptions store_options)
    : disk(disk_of_store),
      clock(clock_of_store),
      index(std::move(index_of_store)),
      options(std::move(store_options)),
      objects(disk),
      pins(disk),
      quota({options.free_space_floor.bytes, options.free_inode_floor}, limits_of(options),
            sources_of(disk, *index)),
      directories(disk, options.durability),
      contents(options.content) {
  for (const NamespaceConfig& each : options.namespaces) namespaces_.emplace(each.name, each);
}

const NamespaceConfig* StoreCore::find_namespace(std::string_view space) const {
  const auto found = namespaces_.find(namespace_of(space));
  if (found == namespaces_.end()) return nullptr;
  // One of which a snapshot has nothing is not there: else its name would tell of the snapshot's.
  if (space.starts_with('@') && !is_in_snapshot(found->second, snapshot_of(space))) return nullptr;
  return &found->second;
}

std::uint64_t StoreCore::max_object_size(std::string_view name_space) const {
  const NamespaceConfig* const config = find_namespace(name_space);
  const std::uint64_t own = config == nullptr ? 0 : config->max_object_size.bytes;
  return own == 0 ? options.max_object_size.bytes : std::min(own, options.max_object_size.bytes);
}

std::string StoreCore::new_staging_path() {
  return layout::staging_path(++staging_number_);
}

Result<void> StoreCore::sync_file(File& file) {
  if (options.durability == Durability::none) return {};
  // Many threads sync at once and the file system's journal merges them:
  // measured better than one syncfs up to some sixty writers.
  return file.sync();
}

Result<Digest> StoreCore::hash(File& file) {
  Hasher hasher;
  std::vector<std::byte> buffer(256 << 10);
  for (std::uint64_t offset = 0;;) {
    LARDER_TRY_ASSIGN(const std::size_t count, file.read_at(offset, buffer));
    if (count == 0) return hasher.finish();
    hasher.update(std::span(buffer).first(count));
    offset += count;
  }
}

Result<void> StoreCore::check_size(const ArtifactKey& key, std::uint64_t size) const {
  const std::uint64_t limit = max_object_size(key.name_space());
  if (size > limit)
    return Error(Errc::too_large, "cannot store " + key.str() + ": " + human_size(size) +
                                      " are more than the " + human_size(limit) +
                                      " that one object may have (max_object_size)");
  return {};
}

Result<void> StoreCore::check_live(const ArtifactKey& key) {
  if (key.is_frozen()) return Error(Errc::forbidden, "cannot change " + key.str() + ": a snapshot is frozen");
  return {};
}

// One inode is the object's, which has been the staged file's; the others are those of directories that may
// be missing, above the object and above its name.
Result<Quota::Reservation> StoreCore::reserve_for(const ArtifactKey& key, std::uint64_t bytes) {
  const auto above = static_cast<std::uint64_t>(std::count(key.str().begin(), key.str().end(), '/'));
  return quota.reserve(std::string(key.name_space()), {bytes, 2 + above});
}

Result<UploadStart> StoreCore::begin_upload(const ArtifactKey& key, UploadRequest request,
                                            std::span<const std::byte> bytes) {
  const NamespaceConfig* const name_space = find_namespace(key.name_space());
  if (name_space == nullptr)
    return Error(Errc::not_found, "there is no namespace " + std::string(key.name_space()));
  LARDER_TRY(check_live(key));
  if (key.path() == k_name_list)
    return Error(Errc::invalid_name, "index.txt is the list of names and cannot be stored");
  if (request.size) LARDER_TRY(check_size(key, *request.size));
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> existing, find(key));
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> below,
                    existing ? std::optional<NameRecord>() : find_overlaid(key));
  if ((existing || below) && request.create_only)
    return Error(Errc::precondition, "cannot store " + key.str() + ": it exists (If-None-Match: *)");

  UploadStart start;
  const bool fixed = overwrite_rule(name_space->kind, key.path()) == OverwriteRule::write_once;
  const bool settled_below = below && request.declared && (*request.declared == below->digest || fixed);
  const bool stays = existing && (fixed || !request.may_replace);
  if (settled_below || (existing && request.declared && (*request.declared == existing->digest || stays))) {
    Content content;
    content.digest = *request.declared;
    content.size = request.size.value_or(0);
    Origin origin;
    origin.actor = request.uploader;
    LARDER_TRY_ASSIGN(start.settled, refuse(key, content, origin, existing ? *existing : *below));
    return start;
  }
  std::unique_ptr<Upload> upload(new Upload(*this, key, std::move(request)));
  if (!stays && !(below && fixed)) {  // otherwise only the digest matters, and nothing is written
    LARDER_TRY_ASSIGN(upload->reservation_, reserve_for(key, upload->request_.size.value_or(0)));
    upload->bytes_ = bytes;
    if (bytes.empty()) {
      const std::string path = new_staging_path();
      LARDER_TRY_ASSIGN(upload->file_, disk.create(path));
      upload->staging_ = path;
    }
  }
  start.upload = std::move(upload);
  return start;
}

IndexChange StoreCore::change_of(const ArtifactKey& key, LedgerAction action, const Digest& digest,
                                 std::uint64_t size) const {
  IndexChange change;
  change.key = &key;
  change.ledger.time = clock.now();
  change.ledger.action = action;
  change.ledger.key = key.str();
  change.ledger.digest = digest;
  change.ledger.size = size;
  return change;
}

Result<void> StoreCore::tell_ledger(LedgerAction action, const std::vector<std::string>& what,
                                    const std::string& actor) {
  for (const std::string& each : what) {
    IndexChange change;
    change.ledger.time = clock.now();
    change.ledger.action = action;
    change.ledger.key = each;
    change.ledger.actor = actor;
    LARDER_TRY(index->apply(change));
  }
  return {};
}

void StoreCore::note(KeyView key, Access access) {
  recency.note(index->hash_of(key), key.str(), access, clock.now());
}

Result<void> StoreCore::flush_recency() {
  return recency.flush([&](const auto& batch) { return index->touch(batch); });
}

// Best effort: what stays behind is found by reconcile.
void StoreCore::collect(const Digest& digest) {
  contents.evict(digest);
  (void)objects.collect(digest, [&] { (void)index->forget_object(digest); });
}

Result<void> StoreCore::move_file(const std::string& from, const std::string& to, Existing existing) {
  constexpr int k_tries = 16;
  Result<void> moved;
  for (int attempt = 0; attempt < k_tries; ++attempt) {
    const auto made = make_directories(disk, parent_of(to));
    if (!made && made.error().code() != Errc::not_found) return made;
    moved = existing == Existing::replace ? disk.replace(from, to) : disk.publish(from, to);
    if (moved || moved.error().code() != Errc::not_found) return moved;
    const auto source = disk.status(from);
    if (!source) return source.error();
  }
  return Error(Errc::io, "cannot move " + from + " to " + to + ": its directory keeps vanishing");
}

// A move that cannot be recorded is undone: the error means that nothing changed.
Result<void> StoreCore::record_move(const ArtifactKey& key, const Result<std::string>& moved,
                                    const IndexChange& change) {
  const std::string name = layout::tree_path(key);
  Result<void> recorded;
  if (moved) recorded = directories.sync({parent_of(*moved), parent_of(name)});
  if (recorded) {
    const auto sequence = index->apply(change);
    if (!sequence) recorded = sequence.error();
  }
  if (recorded) return recorded;
  if (moved) {
    if (!move_file(*moved, name, Existing::keep)) distrust_index();
  }
  // Whatever the disk called it: that the name is missing it does not mean.
  if (recorded.error().code() == Errc::not_found) return Error(Errc::io, recorded.error().message());
  return recorded;
}

}  // namespace larder
