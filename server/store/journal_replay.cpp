// StoreCore, the part that does again what the upload journal tells of. Runs before anybody is
// served: whatever a power cut made of these names and their objects, afterwards
// they are what was acknowledged.
#include <unordered_map>
#include <unordered_set>

#include "common/hasher.hpp"
#include "server/store/layout.hpp"
#include "server/store/store_core.hpp"

namespace larder {
namespace {

constexpr std::string_view k_why = "from the journal, after an unclean stop";

}  // namespace

Result<void> StoreCore::replay_journal() {
  LARDER_TRY_ASSIGN(const std::vector<UploadJournal::Leftover> leftovers, UploadJournal::read(disk));
  std::unordered_map<std::string, const UploadJournal::Leftover*> last;  // of a name the last word counts
  for (const UploadJournal::Leftover& each : leftovers) last[each.record.key] = &each;

  std::unordered_set<Digest> examined;
  const auto is_whole = [&](const Digest& digest, std::uint64_t size) {
    return [this, digest, size](const std::string& path, const FileStatus& status) -> Result<bool> {
      if (status.size != size) return false;
      LARDER_TRY_ASSIGN(const auto file, disk.open(path));
      LARDER_TRY_ASSIGN(const Digest found, hash(*file));
      return found == digest;
    };
  };
  for (const auto& [key, leftover] : last) {
    const NameRecord& name = leftover->record.name;
    if (examined.insert(name.digest).second)
      LARDER_TRY(objects.keep_whole(name.digest, is_whole(name.digest, name.size)));
  }
  for (const UploadJournal::Leftover& each : leftovers) {
    const auto key = ArtifactKey::parse(each.record.key);
    if (!key || last[each.record.key] != &each) continue;
    LARDER_TRY_ASSIGN(const bool lasted, has_lasted(each.record, *key));
    if (!lasted) LARDER_TRY(place_again(each, *key));
  }
  if (!leftovers.empty()) LARDER_TRY(disk.sync_all());
  if (!leftovers.empty() || options.durability != Durability::batch) LARDER_TRY(UploadJournal::clear(disk));
  if (options.durability != Durability::batch) return {};

  auto opened = UploadJournal::open(disk, options.journal);
  // On a full disk it starts all the same, and every upload is synced by itself.
  if (!opened && opened.error().code() == Errc::no_space) return {};
  if (!opened) return opened.error();
  journal = std::move(*opened);
  return {};
}

// Whether the name leads to what was uploaded; one that came back without its bytes is removed.
Result<bool> StoreCore::has_lasted(const JournalRecord& record, const ArtifactKey& key) {
  const std::string path = layout::tree_path(key);
  const auto status = disk.status(path);
  if (!status) {
    const Errc code = status.error().code();
    if (code == Errc::not_found || code == Errc::conflict) return false;
    return status.error();
  }
  if (status->type != FileType::file) return false;
  if (objects.holds(record.name.digest, status->inode)) {
    LARDER_TRY_ASSIGN(const std::optional<NameRecord> row, index->name(key));
    if (!row || row->digest != record.name.digest) LARDER_TRY(enter_uploaded(key, record.name));
    return true;
  }
  LARDER_TRY_ASSIGN(const auto file, disk.open(path));
  LARDER_TRY_ASSIGN(const Digest found, hash(*file));
  // What is filed under the digest it has was stored as such: the upload lost against it, or replaces it.
  if (found == record.name.digest || objects.holds(found, status->inode)) return false;
  LARDER_TRY(disk.remove(path));
  return false;
}

// Its row did not last, and is what it was.
Result<void> StoreCore::enter_uploaded(const ArtifactKey& key, const NameRecord& name) {
  IndexChange change = change_of(key, LedgerAction::put, name.digest, name.size);
  change.ledger.actor = name.uploader;
  change.ledger.why = k_why;
  change.name = name;
  change.new_object.emplace();
  change.new_object->size = name.size;
  change.new_object->verified = clock.now();
  change.new_object->charged_to = key.name_space();
  LARDER_TRY(index->apply(change));
  return {};
}

Result<void> StoreCore::write_body(const UploadJournal::Leftover& leftover, const std::string& path) {
  LARDER_TRY_ASSIGN(const std::string body, UploadJournal::body_of(disk, leftover));
  LARDER_TRY_ASSIGN(const auto file, disk.create(path));
  LARDER_TRY(file->append(std::as_bytes(std::span(body))));
  return file->seal();
}

Result<void> StoreCore::place_again(const UploadJournal::Leftover& leftover, const ArtifactKey& key) {
  const NameRecord& name = leftover.record.name;
  const std::string staged = new_staging_path();
  Content content;
  content.digest = name.digest;
  content.size = name.size;
  bool written = false;
  content.place = [&](const std::string& path) -> Result<void> {
    if (!written) LARDER_TRY(write_body(leftover, staged));
    written = true;
    return disk.publish(staged, path);
  };
  if (find_namespace(key.name_space()) ==
      nullptr) {  // not in this configuration, and acknowledged all the same
    const auto linked = link_name(key, content, false);
    if (linked) return enter_uploaded(key, name);
    (void)disk.remove(staged);
    return linked.error().code() == Errc::exists ? Result<void>() : linked.error();
  }
  Origin origin;
  origin.actor = name.uploader;
  origin.why = k_why;
  origin.declared = name.declared;
  origin.record = name;
  const auto placed = publish(key, content, origin);
  if (placed) return {};
  (void)disk.remove(staged);
  // A lane or a directory took its place: the upload was never acknowledged.
  const Errc code = placed.error().code();
  if (code == Errc::conflict || code == Errc::not_found) return {};
  return placed.error().within("placing again what was uploaded just before an unclean stop");
}

}  // namespace larder
