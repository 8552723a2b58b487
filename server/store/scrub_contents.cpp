// ScrubPass, the part that decides which contents are read, and what follows from it.
#include <algorithm>

#include "common/archive_check.hpp"
#include "server/store/layout.hpp"
#include "server/store/scrub_pass.hpp"

namespace larder {
namespace {

constexpr std::chrono::milliseconds k_short_pause(20);
constexpr std::chrono::milliseconds k_long_pause(200);

}  // namespace

using Kind = ContentCheck::Finding::Kind;
using std::chrono::milliseconds;

// FNV-1a over the digest and the seed: the same ones are taken wherever the walk begins.
bool ScrubPass::is_picked(const Digest& digest) const {
  if (options_.level == ScrubLevel::full) return true;
  if (options_.level == ScrubLevel::quick) return false;
  std::uint64_t hash = 14695981039346656037U ^ seed_;
  for (const char byte : digest.raw()) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  constexpr std::uint64_t k_parts = 1'000'000;
  return static_cast<double>((hash >> 16) % k_parts) < options_.sample_percent / 100 * k_parts;
}

bool ScrubPass::is_due(const Digest& digest, const std::optional<ObjectRecord>& record) const {
  return is_picked(digest) && (!record || record->verified <= cursor_.started);
}

void ScrubPass::count(const ContentCheck::Finding& finding) {
  if (finding.kind == Kind::moved) return;
  ++cursor_.hashed;
  cursor_.bytes += finding.bytes;
}

Result<void> ScrubPass::note_verified(const Digest& digest) {
  const UnixSeconds when = std::max(core_.clock.now(), cursor_.started + 1);
  return core_.index->note_verified(digest, when);
}

// Of a content that has several inodes the first is read here, and the others where objects are.
Result<void> ScrubPass::check_content(const ArtifactKey& key, const Look& look) {
  const NameRecord& row = *look.row;
  const FileStatus& status = look.status;
  LARDER_TRY_ASSIGN(const auto record, core_.index->object(row.digest));
  if (!record) LARDER_TRY(check_record(row.digest, status, std::string(namespace_of(key.name_space()))));
  const bool archive = is_checkable_archive(key.path());
  const std::string path = layout::tree_path(key);
  const std::string hex = row.digest.hex();
  if (!look.first || !is_due(row.digest, record)) {
    if (!archive || unread_archives_.erase(hex) == 0) return {};
    return check_archive_of(key, row, status);
  }
  LARDER_TRY_ASSIGN(const auto finding, content_.hash(path, status.inode, row.digest));
  count(finding);
  if (finding.kind == Kind::moved) return {};
  if (finding.kind == Kind::differs)
    return condemn(row.digest, status.inode, &key, Defect::corrupt, finding.detail);
  if (finding.kind == Kind::unreadable)
    return unreadable_object(row.digest, status.inode, &key, key.str(), finding.detail);
  if (archive) LARDER_TRY(check_archive_of(key, row, status));
  const bool others_may_be = !archive && status.links > 2;
  if (others_may_be) unread_archives_.insert(hex);
  return note_verified(row.digest);
}

Result<void> ScrubPass::check_archive_of(const ArtifactKey& key, const NameRecord& row,
                                         const FileStatus& status) {
  LARDER_TRY_ASSIGN(const auto finding, content_.read_archive(layout::tree_path(key)));
  if (finding.kind != Kind::unreadable) return {};
  if (!options_.repair) {
    accuse(Defect::broken_archive, key.str(), finding.detail, {});
    return {};
  }
  std::vector<ArtifactKey> names = {key};
  if (status.links > 2) {
    LARDER_TRY_ASSIGN(names, core_.names_of(row.digest));
  }
  for (const ArtifactKey& each : names) {
    if (!is_checkable_archive(each.path())) continue;
    // The same bytes may well be what another name, with another ending, says they are.
    LARDER_TRY_ASSIGN(const auto its_own, content_.read_archive(layout::tree_path(each)));
    if (its_own.kind != Kind::unreadable) continue;
    LARDER_TRY(set_aside(each, status.inode, finding.detail));
    accuse(Defect::broken_archive, each.str(), finding.detail, "quarantined");
  }
  return {};
}

// A disk that fails for a moment must not empty the store: only when asked to.
Result<void> ScrubPass::unreadable_object(const Digest& digest, std::uint64_t inode, const ArtifactKey* key,
                                          const std::string& path, const std::string& detail) {
  if (options_.repair) return condemn(digest, inode, key, Defect::unreadable, detail);
  accuse(Defect::unreadable, path, detail, {});
  return {};
}

// The index knows nothing of an object, which an upload may be about to change.
Result<void> ScrubPass::check_record(const Digest& digest, const FileStatus& status,
                                     const std::string& name_space) {
  constexpr UnixSeconds k_young = 60;
  constexpr std::int64_t k_nanoseconds = 1'000'000'000;
  if (core_.clock.now() - status.changed / k_nanoseconds < k_young) return {};
  for (const milliseconds pause : {k_short_pause, k_long_pause}) {
    LARDER_TRY(pace_.wait(pause));
    LARDER_TRY_ASSIGN(const auto record, core_.index->object(digest));
    const bool gone = !core_.disk.status(layout::object_path(digest, 0));
    if (record || gone) return {};
  }
  return accuse_and_mend(
      Defect::wrong_record, layout::object_path(digest, 0), "the index does not know it", "repaired", [&] {
        ObjectRecord record;
        record.size = status.size;
        record.charged_to = name_space;
        return core_.objects.while_stored(digest, [&] { return core_.index->learn_object(digest, record); });
      });
}

}  // namespace larder
