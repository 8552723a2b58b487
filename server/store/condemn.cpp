// StoreCore, the part that takes what is not what was stored out of everybody's
// reach. The object first: it moves into the quarantine under the digest it was
// filed under, so that no upload is given it any more; then every name. What a
// crash leaves undone in between is known by the moved object, and finished by
// the next check or reconcile.
#include <charconv>

#include "server/store/layout.hpp"
#include "server/store/store_core.hpp"

namespace larder {
namespace {

// "trash/12/ns/a" -> "ns/a".
Result<ArtifactKey> kept_key(const std::string& path) {
  const auto first = path.find('/');
  const auto second = path.find('/', first + 1);
  return ArtifactKey::parse(std::string_view(path).substr(second + 1));
}

}  // namespace

Result<std::string> StoreCore::move_to_quarantine(const ArtifactKey& key) {
  const std::string quarantine = layout::quarantine_path(new_generation(), key);
  LARDER_TRY(move_file(layout::tree_path(key), quarantine, Existing::replace));
  return quarantine;
}

Result<bool> StoreCore::set_aside_inode(const ArtifactKey& key, std::uint64_t inode, const std::string& why) {
  const auto lock = key_locks.lock(key);
  const auto status = disk.status(layout::tree_path(key));
  if (!status && status.error().code() == Errc::not_found) return false;
  if (!status) return status.error();
  if (status->inode != inode) return false;
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> row, index->name(key));
  LARDER_TRY(set_aside_locked(key, row, why));
  return true;
}

Result<std::vector<ArtifactKey>> StoreCore::names_of(const Digest& digest) const {
  std::vector<ArtifactKey> names;
  for (const std::string& space : space_names()) {
    LARDER_TRY(index->scan_names(space + "/", {}, [&](std::string_view text, const NameRecord& record) {
      if (record.digest != digest || record.size == 0) return Index::Step();
      auto key = ArtifactKey::parse(text);
      if (key) names.push_back(std::move(*key));
      return Index::Step();
    }));
  }
  return names;
}

Result<void> StoreCore::condemn(const Digest& digest, std::uint64_t inode, const ArtifactKey* found_by,
                                const std::string& why, const ToldPath& told) {
  const std::string condemned = layout::condemned_path(new_generation(), digest);
  LARDER_TRY(objects.condemn(digest, inode, condemned, [&] { (void)index->forget_object(digest); }));
  contents.evict(digest);
  // From here on everything is tried: each name that goes is one that is not served.
  Result<void> outcome = directories.sync({parent_of(condemned), layout::object_directory(digest)});
  std::uint64_t moved = 0;
  const auto names_left = [&] {
    const auto status = disk.status(condemned);
    return !status || status->links > 1 + moved;
  };
  const auto take = [&](const ArtifactKey& key) {
    const auto aside = set_aside_inode(key, inode, why);
    if (!aside) outcome = aside.error();
    if (!aside || !*aside) return;
    ++moved;
    told(key.str());
  };
  if (found_by != nullptr) take(*found_by);
  if (names_left()) {
    const auto names = names_of(digest);
    if (!names) outcome = names.error();
    if (names) {
      for (const ArtifactKey& key : *names) take(key);
    }
  }
  // What the rows do not tell: names of a lost or lagging index, the trash. A name whose row tells
  // of another content has these bytes by right: the object was misfiled, and is the name's only.
  bool claimed = false;
  if (names_left()) {
    const auto walked = visit_links(layout::k_tree, inode, [&](const std::string& path) {
      const auto key = ArtifactKey::parse(std::string_view(path).substr(layout::k_tree.size() + 1));
      if (!key) return;
      const auto row = index->name(*key);
      const bool other = row && *row && (*row)->digest != digest;
      claimed = claimed || other;
      if (!other) take(*key);
    });
    if (!walked) outcome = walked;
  }
  if (!claimed && names_left()) {
    const auto walked = visit_links(layout::k_snapshots, inode, [&](const std::string& path) {
      const auto key = layout::parse_tree_path(path);
      if (key) take(*key);
    });
    if (!walked) outcome = walked;
  }
  if (!claimed && names_left()) {
    const auto walked = visit_links(layout::k_trash, inode, [&](const std::string& path) {
      const auto key = kept_key(path);
      if (!key) return;
      const auto aside = set_kept_aside(path, *key, digest, why);
      if (!aside) outcome = aside;
      if (!aside) return;
      ++moved;
      told(path);
    });
    if (!walked) outcome = walked;
  }
  contents.evict(digest);  // again: until now a name led to it, and somebody may have opened that
  if (moved == 0) {
    LARDER_TRY(tell_corrupt(condemned, digest, why));
    told(layout::object_path(digest, 0));
  }
  return outcome;
}

Result<void> StoreCore::visit_links(const std::string& directory, std::uint64_t inode,
                                    const ToldPath& visit) {
  std::vector<DirectoryEntry> entries;
  const auto listed = disk.list(directory, [&](const DirectoryEntry& entry) {
    entries.push_back(entry);
    return true;
  });
  if (!listed && listed.error().code() != Errc::not_found) return listed;
  for (const DirectoryEntry& entry : entries) {
    const std::string path = directory + "/" + entry.name;
    if (entry.type == FileType::directory) LARDER_TRY(visit_links(path, inode, visit));
    if (entry.type != FileType::file) continue;
    const auto status = disk.status(path);
    if (status && status->inode == inode) visit(path);
  }
  return {};
}

Result<void> StoreCore::set_kept_aside(const std::string& path, const ArtifactKey& key, const Digest& digest,
                                       const std::string& why) {
  const std::string quarantine = layout::quarantine_path(new_generation(), key);
  LARDER_TRY(move_file(path, quarantine, Existing::replace));
  LARDER_TRY(directories.sync({parent_of(quarantine), parent_of(path)}));
  std::uint64_t generation = 0;  // of the trash
  const std::string_view number = std::string_view(path).substr(layout::k_trash.size() + 1);
  (void)std::from_chars(number.data(), number.data() + number.size(), generation);
  LARDER_TRY(index->forget_trash(generation, key));
  return tell_corrupt(path, digest, why);
}

// A line about what is no name. '@' opens no namespace: no list of changes takes it for one.
Result<void> StoreCore::tell_corrupt(const std::string& path, const Digest& digest, const std::string& why) {
  IndexChange change;
  change.ledger.time = clock.now();
  change.ledger.action = LedgerAction::corrupt;
  change.ledger.key = "@" + path;
  change.ledger.digest = digest;
  change.ledger.actor = "larderd";
  change.ledger.why = why;
  const auto told = index->apply(change);
  if (!told) return told.error();
  return {};
}

Result<void> StoreCore::refile(const ArtifactKey& key, const Digest& digest, std::uint64_t inode) {
  const auto lock = key_locks.lock(key);
  LARDER_TRY_ASSIGN(const auto file, disk.open(layout::tree_path(key)));
  LARDER_TRY_ASSIGN(const FileStatus status, file->status());
  if (status.inode != inode) return {};  // replaced meanwhile
  LARDER_TRY(file_under(digest, *file));
  ObjectRecord record;
  record.size = status.size;
  record.verified = clock.now();
  record.charged_to = namespace_of(key.name_space());
  return index->learn_object(digest, record);
}

Result<void> StoreCore::rejoin(const ArtifactKey& key, const Digest& digest, std::uint64_t inode) {
  const auto lock = key_locks.lock(key);
  const std::string name = layout::tree_path(key);
  LARDER_TRY_ASSIGN(const FileStatus status, disk.status(name));
  if (status.inode != inode) return {};  // replaced meanwhile
  const auto no_bytes = [](const std::string&) -> Result<void> {
    return Error(Errc::busy, "its object went away");
  };
  LARDER_TRY(settle(key, digest));
  const std::string staged = new_staging_path();
  LARDER_TRY(objects.link(digest, status.size, no_bytes, staged));
  const Result<void> replaced = disk.replace(staged, name);
  if (!replaced) (void)disk.remove(staged);
  if (!replaced) return replaced;
  return directories.sync({parent_of(name)});
}

}  // namespace larder
