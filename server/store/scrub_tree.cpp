// ScrubPass, the part that looks at every name of the tree and of the snapshots: its
// row, its object, its bytes.
#include <algorithm>

#include "server/store/layout.hpp"
#include "server/store/scrub_pass.hpp"

namespace larder {
namespace {

constexpr std::chrono::milliseconds k_short_pause(20);

}  // namespace

using Kind = ContentCheck::Finding::Kind;
using std::chrono::milliseconds;

// From behind `after`, a path below data/; "" for all.
Result<void> ScrubPass::walk_tree(const std::string& directory, const std::string& after, CheckFile check) {
  const auto entries = sorted_entries(directory);
  if (!entries && entries.error().code() == Errc::not_found) return {};  // removed meanwhile
  if (!entries && is_of_the_file(entries.error())) {
    accuse(Defect::unreadable, directory, entries.error().message(), {});
    return {};
  }
  if (!entries) return entries.error();
  // What of `after` lies in this directory: all before it is done, and it is if it is a file.
  const bool goes_on = after.starts_with(directory + "/");
  const std::string rest = goes_on ? after.substr(directory.size() + 1) : std::string();
  const std::string first = rest.substr(0, rest.find('/'));
  for (const DirectoryEntry& entry : *entries) {
    if (goes_on && entry.name < first) continue;
    const std::string path = directory + "/" + entry.name;
    if (entry.type == FileType::directory) {
      if (is_known_space(path)) LARDER_TRY(walk_tree(path, after, check));
      continue;
    }
    if (goes_on && entry.name == first) continue;
    LARDER_TRY((this->*check)(path, entry.type));
    LARDER_TRY(reached(path));
  }
  return {};
}

// The tree, then the snapshots: one phase, so that both come before the objects and their records. The
// position tells where in it a run is.
Result<void> ScrubPass::walk_names() {
  const std::string position = cursor_.position;
  const bool tree_is_done = position.starts_with(layout::k_snapshots + "/");
  if (!tree_is_done) LARDER_TRY(walk_tree(layout::k_tree, position, &ScrubPass::check_entry));
  return walk_tree(layout::k_snapshots, position, &ScrubPass::check_entry);
}

// False for a namespace that is not configured, and for a snapshot that is being made or removed.
bool ScrubPass::is_known_space(const std::string& directory) const {
  const std::string above = parent_of(directory);
  const auto below = [&](const std::string& top) { return directory.substr(top.size() + 1); };
  if (above == layout::k_tree) return core_.find_namespace(below(layout::k_tree)) != nullptr;
  if (above == layout::k_snapshots) return core_.snapshots.holds(below(layout::k_snapshots));
  if (parent_of(above) == layout::k_snapshots)
    return core_.find_namespace("@" + below(layout::k_snapshots)) != nullptr;
  return true;
}

// Its rows outlive its files for a while, and that is no defect.
bool ScrubPass::is_of_removed_snapshot(const ArtifactKey& key) const {
  return key.is_frozen() && !core_.snapshots.holds(snapshot_of(key.name_space()));
}

Result<void> ScrubPass::check_entry(const std::string& path, FileType type) {
  const auto key = layout::parse_tree_path(path);
  if (type != FileType::file || !key) {
    accuse(Defect::foreign, path, type == FileType::file ? key.error().message() : "is no file", {});
    return {};
  }
  ++cursor_.names;
  const auto checked = check_name(*key);
  if (!checked && checked.error().code() == Errc::cancelled) --cursor_.names;  // another run begins with it
  if (checked || checked.error().code() == Errc::cancelled || !is_of_the_file(checked.error()))
    return checked;
  if (is_of_removed_snapshot(*key)) return {};
  accuse(Defect::unreadable, key->str(), checked.error().message(), {});
  return {};
}

Result<ScrubPass::Look> ScrubPass::look_at(const ArtifactKey& key) {
  Look look;
  LARDER_TRY_ASSIGN(look.row, core_.index->name(key));
  const auto status = core_.disk.status(layout::tree_path(key));
  if (!status && status.error().code() == Errc::not_found) return look;
  if (!status) return status.error();
  look.status = *status;
  look.there = status->type == FileType::file;
  look.fits = look.there && look.row && look.row->size == status->size;
  if (!look.fits || status->size == 0) return look;
  const auto copy = core_.objects.copy_of(look.row->digest, status->inode);
  look.fits = copy.has_value();
  look.first = copy == 0U;
  return look;
}

Result<ScrubPass::Look> ScrubPass::look_twice_more(const ArtifactKey& key) {
  Look look;
  for (const milliseconds pause : {milliseconds(0), k_short_pause}) {
    LARDER_TRY(pace_.wait(pause));
    const auto lock = core_.key_locks.lock(key);
    LARDER_TRY_ASSIGN(look, look_at(key));
    if (!look.there || look.fits) break;
  }
  return look;
}

Result<void> ScrubPass::check_name(const ArtifactKey& key) {
  LARDER_TRY_ASSIGN(Look look, look_at(key));
  if (!look.there) return {};
  if (!look.fits) {
    LARDER_TRY_ASSIGN(look, look_twice_more(key));
  }
  if (!look.there) return {};
  if (!look.row) return check_unknown_file(key);
  if (!look.fits) return check_misfit(key, *look.row, look.status);
  if (look.row->size == 0) return check_mode(layout::tree_path(key), key.str());
  return check_content(key, look);
}

Result<void> ScrubPass::check_unknown_file(const ArtifactKey& key) {
  return accuse_and_mend(Defect::unknown_file, key.str(), "in the tree, and not in the index", "entered",
                         [&]() -> Result<void> {
                           LARDER_TRY(learn_inodes());
                           const auto entered = core_.enter_from_tree(key, *inodes_);
                           if (!entered) return entered.error();
                           return {};
                         });
}

// Its file is not the object of its row.
Result<void> ScrubPass::check_misfit(const ArtifactKey& key, const NameRecord& row,
                                     const FileStatus& status) {
  const std::string path = layout::tree_path(key);
  LARDER_TRY_ASSIGN(const auto finding, content_.hash(path, status.inode, row.digest));
  count(finding);
  const bool filed = status.size != 0 && core_.objects.holds(row.digest, status.inode);
  switch (finding.kind) {
    case Kind::moved: return {};
    case Kind::unreadable:
      return accuse_and_mend(Defect::unreadable, key.str(), finding.detail, "quarantined",
                             [&] { return set_aside(key, status.inode, finding.detail); });
    case Kind::differs: {
      if (filed) return condemn(row.digest, status.inode, &key, Defect::corrupt, finding.detail);
      LARDER_TRY(set_aside(key, status.inode, finding.detail));
      accuse(Defect::corrupt, key.str(), finding.detail, "quarantined");
      return {};
    }
    case Kind::sound: break;
  }
  if (row.size != status.size) {
    return accuse_and_mend(Defect::wrong_row, key.str(), "its row tells another size", "repaired",
                           [&]() -> Result<void> {
                             LARDER_TRY(learn_inodes());
                             const auto entered = core_.enter_from_tree(key, *inodes_);
                             if (!entered) return entered.error();
                             return {};
                           });
  }
  return check_apart(key, row, status);
}

// A file of its own with the right bytes: the object is lost, damaged, or just another.
Result<void> ScrubPass::check_apart(const ArtifactKey& key, const NameRecord& row, const FileStatus& status) {
  const std::string object = layout::object_path(row.digest, 0);
  const auto there = core_.disk.status(object);
  if (there) {
    LARDER_TRY_ASSIGN(const auto finding, hash_object(object, there->inode, row.digest));
    count(finding);
    if (finding.kind == Kind::differs)
      LARDER_TRY(condemn(row.digest, there->inode, nullptr, Defect::corrupt, finding.detail));
    if (finding.kind == Kind::sound)
      return accuse_and_mend(Defect::apart, key.str(), "is a file of its own, beside the object of its bytes",
                             "repaired", [&] { return core_.rejoin(key, row.digest, status.inode); });
  }
  lost_.insert(row.digest.hex());
  return accuse_and_mend(Defect::lost_object, key.str(), "its object is missing from " + object, "repaired",
                         [&] { return core_.refile(key, row.digest, status.inode); });
}

Result<void> ScrubPass::set_aside(const ArtifactKey& key, std::uint64_t inode, const std::string& why) {
  const auto aside = core_.set_aside_inode(key, inode, "verify: " + why);
  if (!aside) return aside.error();
  return {};
}

}  // namespace larder
