// StoreCore, the part that brings index and tree together for one name. The tree
// is right, as long as its bytes are what they were when they were stored: an
// inode is filed under the digest of its bytes, and a crash without syncs can
// leave it with others.
#include "server/store/layout.hpp"
#include "server/store/store_core.hpp"

namespace larder {
namespace {

bool says_there_is_no_file(Errc code) {
  // Missing; a directory or a device; a symbolic link; a file where a directory would be.
  // Or a file that somebody put there and we may not read.
  return code == Errc::not_found || code == Errc::conflict || code == Errc::invalid_name ||
         code == Errc::forbidden;
}

}  // namespace

std::vector<std::string> StoreCore::namespace_names() const {
  std::vector<std::string> names;
  for (const NamespaceConfig& each : options.namespaces) names.push_back(each.name);
  return names;
}

std::vector<std::string> StoreCore::space_names() const {
  std::vector<std::string> spaces = namespace_names();
  for (const std::string& snapshot : snapshots.all()) {
    for (const NamespaceConfig& each : options.namespaces) spaces.push_back("@" + snapshot + "/" + each.name);
  }
  return spaces;
}

bool StoreCore::is_index_complete() const {
  if (index->condition() != Index::Condition::clean) return false;
  for (const std::string& each : namespace_names()) {
    if (index->agrees_about(each)) continue;
    // It was not configured when tree and index were compared. Where it is new, there is nothing to compare.
    const auto directory = disk.status(layout::k_tree + "/" + each);
    const bool is_new = !directory && directory.error().code() == Errc::not_found;
    if (!is_new || index->totals(each).artifacts > 0) return false;
  }
  return true;
}

// Who is told that a name is there need not send it again. After an unclean stop it may have been
// linked by who did not live to sync it.
Result<void> StoreCore::make_found_last() {
  if (index_complete || found_lasts_ || options.durability == Durability::none) return {};
  LARDER_TRY(disk.sync_all());
  found_lasts_ = true;
  return {};
}

void StoreCore::distrust_index() {
  const std::lock_guard lock(trust_mutex_);
  ++distrusted;
  index_complete = false;
  index->distrust();
}

void StoreCore::trust_index(std::uint64_t distrusted_before) {
  const std::lock_guard lock(trust_mutex_);
  if (distrusted != distrusted_before) return;
  index_complete = true;
  index->trust_only(namespace_names());
}

Result<std::optional<NameRecord>> StoreCore::find(const ArtifactKey& key) {
  if (key.is_frozen() && !snapshots.holds(snapshot_of(key.name_space()))) return std::optional<NameRecord>();
  if (index_complete) return index->name(key);
  const auto lock = key_locks.lock(key);
  return find_locked(key);
}

Result<std::optional<NameRecord>> StoreCore::find_locked(const ArtifactKey& key) {
  LARDER_TRY_ASSIGN(std::optional<NameRecord> row, index->name(key));
  if (index_complete) return row;
  if (!row) return enter_locked(key, nullptr);
  const auto status = disk.status(layout::tree_path(key));
  if (!status && !says_there_is_no_file(status.error().code())) return status.error();
  if (!status || status->type != FileType::file) {
    LARDER_TRY(drop_row_locked(key, *row));
    return std::optional<NameRecord>();
  }
  if (status->size == row->size && (row->size == 0 || objects.holds(row->digest, status->inode))) return row;
  return enter_locked(key, nullptr);
}

Result<std::optional<NameRecord>> StoreCore::enter_from_tree(const ArtifactKey& key,
                                                             const ObjectsByInode& known) {
  const auto lock = key_locks.lock(key);
  return enter_locked(key, &known);
}

Result<std::optional<NameRecord>> StoreCore::enter_locked(const ArtifactKey& key,
                                                          const ObjectsByInode* known) {
  const NamespaceConfig* const name_space = find_namespace(key.name_space());
  if (name_space == nullptr) return std::optional<NameRecord>();
  const std::string path = layout::tree_path(key);
  auto file = disk.open(path);
  if (!file && says_there_is_no_file(file.error().code())) return std::optional<NameRecord>();
  if (!file) return file.error();
  LARDER_TRY_ASSIGN(const FileStatus status, (*file)->status());
  LARDER_TRY_ASSIGN(const Digest digest, hash(**file));
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> row, index->name(key));

  const bool filed = status.size != 0 && objects.holds(digest, status.inode);
  if (!filed && status.links > 1) {
    // Filed under another digest, the bytes are not those that were stored. Who cannot
    // tell (the inode may have been linked into the tree by hand) calls it a miss for now.
    const auto stored_as = digest_stored_as(status.inode, row, known);
    if (stored_as) {
      LARDER_TRY(set_damaged_aside(key, row, *stored_as, status.inode));
      return std::optional<NameRecord>();
    }
    if (known == nullptr) return std::optional<NameRecord>();
  }
  const bool empty_and_wrong = status.size == 0 && name_space->kind != NamespaceKind::generic;
  if (empty_and_wrong) {
    LARDER_TRY(set_aside_locked(key, row, "it is empty"));
    return std::optional<NameRecord>();
  }
  if (row && row->digest == digest && row->size == status.size) return row;
  if (!filed && status.size != 0) LARDER_TRY(file_under(digest, **file));
  LARDER_TRY_ASSIGN(const auto entered, enter_row(key, digest, status));
  // Its uses may have been lost with the index: it has to be as safe from a prune as if it had just come.
  if (!row) note(key, Access::seen);
  return entered;
}

// What the inode was stored as, if that is known and cannot be what it holds now.
std::optional<Digest> StoreCore::digest_stored_as(std::uint64_t inode, const std::optional<NameRecord>& row,
                                                  const ObjectsByInode* known) {
  if (row && objects.holds(row->digest, inode)) return row->digest;
  if (known == nullptr) return std::nullopt;
  const auto found = known->find(inode);
  if (found == known->end()) return std::nullopt;
  return found->second;
}

// A name without an object: the objects directory lost it, or somebody put the file there. The file that was
// hashed is filed, whatever its name leads to by now.
Result<void> StoreCore::file_under(const Digest& digest, File& file) {
  const std::string object = layout::object_path(digest, 0);
  const auto there = disk.status(object);
  if (there) return {};  // another inode has these bytes; two do no harm
  if (there.error().code() != Errc::not_found) return there.error();
  LARDER_TRY(make_directories(disk, layout::object_directory(digest)));
  LARDER_TRY(file.seal());
  const auto linked = disk.link_file(file, object);
  if (!linked && linked.error().code() != Errc::exists) return linked;
  return directories.sync({layout::object_directory(digest)});
}

Result<std::optional<NameRecord>> StoreCore::enter_row(const ArtifactKey& key, const Digest& digest,
                                                       const FileStatus& status) {
  IndexChange change = change_of(key, LedgerAction::found, digest, status.size);
  change.ledger.actor = "larderd";
  change.ledger.why = "in the tree, and not in the index";
  change.name.emplace();
  change.name->digest = digest;
  change.name->size = status.size;
  change.name->stored = status.modified;
  change.name->uploader = "larderd";
  if (status.size != 0) {
    change.new_object.emplace();
    change.new_object->size = status.size;
    change.new_object->verified = clock.now();
    change.new_object->charged_to = namespace_of(key.name_space());
  }
  LARDER_TRY(index->apply(change));
  return change.name;
}

Result<void> StoreCore::drop_stale_row(const ArtifactKey& key) {
  const auto lock = key_locks.lock(key);
  const auto status = disk.status(layout::tree_path(key));
  if (status && status->type == FileType::file) return {};
  if (!status && !says_there_is_no_file(status.error().code())) return status.error();
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> row, index->name(key));
  if (!row) return {};
  return drop_row_locked(key, *row);
}

Result<void> StoreCore::drop_row_locked(const ArtifactKey& key, const NameRecord& row) {
  IndexChange change = change_of(key, LedgerAction::vanished, row.digest, row.size);
  change.ledger.actor = "larderd";
  change.ledger.why = "in the index, and not in the tree";
  LARDER_TRY(index->apply(change));
  collect(row.digest);
  return {};
}

Result<void> StoreCore::set_aside(const ArtifactKey& key, const std::string& why) {
  const auto lock = key_locks.lock(key);
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> row, index->name(key));
  if (!row) return {};
  const auto status = disk.status(layout::tree_path(key));
  if (!status) return status.error();
  if (status->size == row->size) return {};  // replaced meanwhile
  if (objects.holds(row->digest, status->inode))
    return set_damaged_aside(key, row, row->digest, status->inode);
  return set_aside_locked(key, row, why);
}

// The object goes, too: the next upload of what it should have been must not be given it.
Result<void> StoreCore::set_damaged_aside(const ArtifactKey& key, const std::optional<NameRecord>& row,
                                          const Digest& digest, std::uint64_t inode) {
  LARDER_TRY(set_aside_locked(key, row, "its bytes are not those that were stored"));
  const std::string condemned = layout::condemned_path(new_generation(), digest);
  const auto done = objects.condemn(digest, inode, condemned, [&] { (void)index->forget_object(digest); });
  contents.evict(digest);
  if (!done && done.error().code() == Errc::not_found) return {};  // it was before
  if (!done) return done;
  return directories.sync({parent_of(condemned), layout::object_directory(digest)});
}

Result<void> StoreCore::set_aside_locked(const ArtifactKey& key, const std::optional<NameRecord>& row,
                                         const std::string& why) {
  const Result<std::string> moved = move_to_quarantine(key);
  if (!moved) return moved.error();
  const NameRecord was = row.value_or(NameRecord());
  IndexChange change = change_of(key, LedgerAction::corrupt, was.digest, was.size);
  change.ledger.actor = "larderd";
  change.ledger.why = why;
  const Result<void> recorded = record_move(key, moved, change);
  contents.evict(was.digest);
  return recorded;
}

}  // namespace larder
