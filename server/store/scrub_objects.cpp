// ScrubPass, the part that looks at every object: its place, its mode, and the bytes
// that no name led to.
#include "server/store/layout.hpp"
#include "server/store/scrub_pass.hpp"

namespace larder {
namespace {

constexpr std::chrono::milliseconds k_short_pause(20);
constexpr std::uint32_t k_sealed_mode = 0444;

}  // namespace

using Kind = ContentCheck::Finding::Kind;
using std::chrono::milliseconds;

Result<void> ScrubPass::walk_objects() {
  LARDER_TRY_ASSIGN(const auto directories, sorted_entries(layout::k_objects));
  for (const DirectoryEntry& directory : directories) {
    const std::string path = layout::k_objects + "/" + directory.name;
    if (directory.type != FileType::directory) {
      accuse(Defect::foreign, path, "is no directory", {});
      continue;
    }
    if (path < cursor_.position.substr(0, path.size())) continue;
    LARDER_TRY_ASSIGN(const auto entries, sorted_entries(path));
    for (const DirectoryEntry& entry : entries) {
      const std::string object = path + "/" + entry.name;
      if (object <= cursor_.position) continue;
      LARDER_TRY(check_object_entry(directory.name, object, entry));
      LARDER_TRY(reached(object));
    }
  }
  return {};
}

Result<void> ScrubPass::check_object_entry(const std::string& directory, const std::string& path,
                                           const DirectoryEntry& entry) {
  Digest digest;
  const bool placed = entry.type == FileType::file && layout::parse_object_name(entry.name, digest) &&
                      entry.name.starts_with(directory);
  if (!placed) {
    accuse(Defect::foreign, path, "is no object", {});
    return {};
  }
  ++cursor_.objects;
  const auto checked = check_object(path, digest);
  if (!checked && checked.error().code() == Errc::cancelled) --cursor_.objects;
  if (checked || checked.error().code() == Errc::cancelled || !is_of_the_file(checked.error()))
    return checked;
  if (checked.error().code() == Errc::not_found) return {};  // collected meanwhile
  accuse(Defect::unreadable, path, checked.error().message(), {});
  return {};
}

Result<void> ScrubPass::check_object(const std::string& path, const Digest& digest) {
  LARDER_TRY_ASSIGN(const FileStatus status, core_.disk.status(path));
  LARDER_TRY_ASSIGN(const auto record, core_.index->object(digest));
  const bool other_size = record && record->size != status.size;
  const bool first = path == layout::object_path(digest, 0);
  const bool due = first ? is_due(digest, record) : is_picked(digest);
  if (due || other_size) {
    LARDER_TRY_ASSIGN(const bool sound, is_sound(path, digest, status));
    if (!sound) return check_successor(path, digest, status.inode);
    if (first) LARDER_TRY(note_verified(digest));
  }
  if (status.links == 1) {
    LARDER_TRY_ASSIGN(const bool collected, check_orphan(path, digest));
    if (collected) return check_successor(path, digest, status.inode);
  }
  if (other_size) LARDER_TRY(check_object_size(path, digest, *record, status));
  const bool kept_only = !record && status.links > 1;  // by the trash: names were looked at before
  if (kept_only) LARDER_TRY(check_record(digest, status, core_.options.namespaces.front().name));
  return check_mode(path, path);
}

// When not, that was told, and did what follows from it.
Result<bool> ScrubPass::is_sound(const std::string& path, const Digest& digest, const FileStatus& status) {
  LARDER_TRY_ASSIGN(const auto finding, hash_object(path, status.inode, digest));
  count(finding);
  if (finding.kind == Kind::differs)
    LARDER_TRY(condemn(digest, status.inode, nullptr, Defect::corrupt, finding.detail));
  if (finding.kind == Kind::unreadable)
    LARDER_TRY(unreadable_object(digest, status.inode, nullptr, path, finding.detail));
  return finding.kind == Kind::sound;
}

// What `inode` was in the place of may be another inode's of this content, which has no other place now.
Result<void> ScrubPass::check_successor(const std::string& path, const Digest& digest, std::uint64_t inode) {
  LARDER_TRY_ASSIGN(const FileStatus status, core_.disk.status(path));
  return status.inode == inode ? Result<void>() : check_object(path, digest);
}

// One that is just being written is whole once its lock is free. The lock is not kept while it is read again,
// which takes its time: it is held open instead, so that its inode is no later upload's meanwhile.
Result<ContentCheck::Finding> ScrubPass::hash_object(const std::string& path, std::uint64_t inode,
                                                     const Digest& digest) {
  LARDER_TRY_ASSIGN(ContentCheck::Finding finding, content_.hash(path, inode, digest));
  if (finding.kind != Kind::differs) return finding;
  Result<std::unique_ptr<File>> held = Error(Errc::not_found, path);
  LARDER_TRY(core_.objects.while_stored(digest, [&]() -> Result<void> {
    held = core_.disk.open(path);
    return {};
  }));
  return content_.hash(path, inode, digest);
}

// True when it is gone.
Result<bool> ScrubPass::check_orphan(const std::string& path, const Digest& digest) {
  for (const milliseconds pause : {milliseconds(0), k_short_pause}) {
    LARDER_TRY(pace_.wait(pause));
    LARDER_TRY_ASSIGN(const bool unused, core_.objects.has_unused(digest));
    if (!unused) return false;
  }
  // Nobody can miss it, so it goes without being asked for: what a view or the quarantine held, say.
  LARDER_TRY(mend_and_accuse(Defect::orphan, path, "no name leads to it", "removed",
                             [&] { return collect(digest); }));
  return true;
}

Result<void> ScrubPass::collect(const Digest& digest) {
  return core_.objects.collect(digest, [&] { (void)core_.index->forget_object(digest); });
}

Result<void> ScrubPass::check_object_size(const std::string& path, const Digest& digest, ObjectRecord record,
                                          const FileStatus& status) {
  return accuse_and_mend(Defect::wrong_record, path, "the index tells another size", "repaired",
                         [&]() -> Result<void> {
                           record.size = status.size;
                           return core_.objects.while_stored(digest, [&]() -> Result<void> {
                             LARDER_TRY(core_.index->forget_object(digest));
                             return core_.index->learn_object(digest, record);
                           });
                         });
}

Result<void> ScrubPass::check_mode(const std::string& path, const std::string& name) {
  FileStatus status;
  for (const milliseconds pause : {milliseconds(0), milliseconds(0), k_short_pause}) {
    LARDER_TRY(pace_.wait(pause));
    LARDER_TRY_ASSIGN(status, core_.disk.status(path));
    if (status.mode == k_sealed_mode) return {};
  }
  constexpr std::uint32_t k_write_bits = 0222;
  const std::string_view detail =
      (status.mode & k_write_bits) != 0 ? "can be written" : "has not the mode 0444";
  return accuse_and_mend(Defect::wrong_mode, name, std::string(detail), "repaired", [&]() -> Result<void> {
    LARDER_TRY_ASSIGN(const auto file, core_.disk.open(path));
    return file->seal();
  });
}

}  // namespace larder
