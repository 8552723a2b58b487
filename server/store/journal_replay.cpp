// StoreCore, the part that does again what the upload journal tells of. Runs before anybody is
// served: whatever a power cut made of these names and their objects, afterwards they are
// what was acknowledged. Whatever else a name leads to by now is older: a removal that did not
// last, an earlier upload; what came later by any other way had the journal emptied first.
#include <unordered_map>
#include <unordered_set>

#include "server/store/content_check.hpp"
#include "server/store/layout.hpp"
#include "server/store/store_core.hpp"

namespace larder {
namespace {

constexpr std::string_view k_why = "from the journal, after an unclean stop";

}  // namespace

Result<void> StoreCore::replay_journal() {
  LARDER_TRY_ASSIGN(const std::vector<UploadJournal::Leftover> leftovers, UploadJournal::read(disk));
  // The kernel keeps the pages of a write that was lost, and calls them written: what the disk has of them
  // shows when they are read anew.
  const Looked looked = disk.status(layout::k_journal_lost) ? Looked::at_the_disk : Looked::at_memory_too;
  if (looked == Looked::at_the_disk) (void)disk.sync_all();              // no more than what is lost already
  std::unordered_map<std::string, const UploadJournal::Leftover*> last;  // of a name the last word counts
  std::unordered_map<Digest, std::unordered_set<std::uint64_t>> whole;
  for (const UploadJournal::Leftover& each : leftovers) {
    last[each.record.key] = &each;
    const NameRecord& name = each.record.name;
    if (whole.contains(name.digest)) continue;
    LARDER_TRY_ASSIGN(whole[name.digest], find_whole(name, looked));
  }
  std::vector<std::pair<const UploadJournal::Leftover*, ArtifactKey>> lost;
  for (const UploadJournal::Leftover& each : leftovers) {
    auto key = ArtifactKey::parse(each.record.key);
    if (!key || last[each.record.key] != &each) continue;
    LARDER_TRY_ASSIGN(const bool lasted, has_lasted(each.record, *key, whole[each.record.name.digest]));
    if (!lasted) lost.emplace_back(&each, std::move(*key));
  }
  for (const auto& content : whole) {
    const auto aside = [&] { return layout::condemned_path(new_generation(), content.first); };
    LARDER_TRY(objects.keep_whole(content.first, content.second, aside));
  }
  for (const auto& [leftover, key] : lost) LARDER_TRY(place_again(*leftover, key));

  if (!leftovers.empty()) LARDER_TRY(disk.sync_all());
  if (!leftovers.empty() || options.durability != Durability::batch) LARDER_TRY(UploadJournal::clear(disk));
  if (options.durability != Durability::batch) return {};
  auto opened = UploadJournal::open(disk, options.journal);
  // Where there is no room for a journal every upload is synced by itself.
  if (!opened && opened.error().code() == Errc::no_space) return {};
  if (!opened) return opened.error();
  journal = std::move(*opened);
  return {};
}

// The inodes of a content that hold its bytes. One that cannot be read does not.
Result<std::unordered_set<std::uint64_t>> StoreCore::find_whole(const NameRecord& name, Looked looked) {
  std::unordered_set<std::uint64_t> whole;
  for (unsigned copy = 0;; ++copy) {
    const std::string path = layout::object_path(name.digest, copy);
    const auto status = disk.status(path);
    if (!status && status.error().code() == Errc::not_found) return whole;
    if (!status) return status.error();
    if (status->size != name.size) continue;
    const auto file = disk.open(path);
    if (file && looked == Looked::at_the_disk) forget_cached(**file);
    const auto digest = file ? hash(**file) : file.error();
    if (digest && *digest == name.digest) whole.insert(status->inode);
  }
}

// Whether the name leads to what was uploaded; what else it leads to is taken away.
Result<bool> StoreCore::has_lasted(const JournalRecord& record, const ArtifactKey& key,
                                   const std::unordered_set<std::uint64_t>& whole) {
  const std::string path = layout::tree_path(key);
  const auto status = disk.status(path);
  if (!status) {
    const Errc code = status.error().code();
    if (code == Errc::not_found || code == Errc::conflict) return false;
    return status.error();
  }
  if (status->type != FileType::file) return false;
  if (!whole.contains(status->inode)) {
    LARDER_TRY(disk.remove(path));
    return false;
  }
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> row, index->name(key));
  if (!row || row->digest != record.name.digest) LARDER_TRY(enter_uploaded(key, record.name));
  return true;
}

// Its row, as it was. By no rule but that it was acknowledged.
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

Result<void> StoreCore::place_again(const UploadJournal::Leftover& leftover, const ArtifactKey& key) {
  const NameRecord& name = leftover.record.name;
  LARDER_TRY_ASSIGN(const std::string body, UploadJournal::body_of(disk, leftover));
  Content content;
  content.digest = name.digest;
  content.size = name.size;
  content.place = [&](const std::string& path) {
    return disk.create_whole(path, std::as_bytes(std::span(body)));
  };
  const auto linked = link_name(key, content, false);
  if (linked) return enter_uploaded(key, name);
  // A directory stands there, or a file where its directory would be: it was being refused for that.
  const Errc code = linked.error().code();
  if (code == Errc::exists || code == Errc::conflict) return {};
  return linked.error().within("placing again what was uploaded just before an unclean stop");
}

}  // namespace larder
