// StoreCore, the part that gives a content another name. A link under the new
// name first, the old one away last: in between both lead to the same bytes.
#include <array>

#include "common/hasher.hpp"
#include "common/name_list.hpp"
#include "server/store/layout.hpp"
#include "server/store/store_core.hpp"

namespace larder {

// For the rare case that no inode of the content can take another link, or that its object is
// lost. The name may lead to other bytes by now: those must not become this content.
Result<void> StoreCore::copy_bytes(const std::string& from, const Digest& digest, const std::string& to) {
  LARDER_TRY_ASSIGN(const auto source, disk.open(from));
  const std::string staged = new_staging_path();
  LARDER_TRY_ASSIGN(const auto copy, disk.create(staged));
  const auto fill = [&]() -> Result<void> {
    Hasher hasher;
    std::vector<std::byte> buffer(256 << 10);
    for (std::uint64_t offset = 0;;) {
      LARDER_TRY_ASSIGN(const std::size_t count, source->read_at(offset, buffer));
      if (count == 0) break;
      hasher.update(std::span(buffer).first(count));
      LARDER_TRY(copy->append(std::span(buffer).first(count)));
      offset += count;
    }
    if (hasher.finish() != digest)
      return Error(Errc::busy, "cannot copy " + from + ": it changed meanwhile; try again");
    LARDER_TRY(copy->seal());
    LARDER_TRY(sync_file(*copy));
    return disk.publish(staged, to);
  };
  const Result<void> filled = fill();
  if (!filled) (void)disk.remove(staged);
  return filled;
}

Result<Receipt> StoreCore::rename(const ArtifactKey& from, const ArtifactKey& to, const std::string& actor,
                                  Replace replace) {
  if (to.path() == k_name_list)
    return Error(Errc::invalid_name, "index.txt is the list of names and cannot be stored");
  LARDER_TRY(check_live(from));
  LARDER_TRY(check_live(to));
  // A lane stores nothing that is below it already, and then the name below would go.
  if (const auto below = overlaid(to); below && *below == from)
    return Error(Errc::conflict, to.str() + " is " + from.str() + " already, as long as that is there");
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> record, find(from));
  if (!record) return Error(Errc::not_found, "there is no " + from.str());
  const NamespaceConfig* const target = find_namespace(to.name_space());
  if (record->size == 0 && target != nullptr && target->kind != NamespaceKind::generic)
    return Error(Errc::invalid_argument, "cannot store " + to.str() + ": it is empty");
  LARDER_TRY(check_size(to, record->size));
  Quota::Reservation reservation;  // another namespace has a limit of its own
  if (from.name_space() != to.name_space()) {
    LARDER_TRY_ASSIGN(reservation, reserve_for(to, record->size));
  }

  // Both names are locked over both steps: a rename in the other direction, of the same bytes, would
  // find its new name there as well, and each would take the other's old name away.
  const std::array<const ArtifactKey*, 2> both = {&from, &to};
  const auto locks = key_locks.lock_all(both);
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> still, find_locked(from));
  if (!still) return Error(Errc::not_found, "there is no " + from.str());
  if (still->digest != record->digest)
    return Error(Errc::busy, "cannot rename " + from.str() + ": it changed meanwhile; try again");
  Content content;
  content.digest = record->digest;
  content.size = record->size;
  content.place = [&](const std::string& path) {
    return copy_bytes(layout::tree_path(from), record->digest, path);
  };
  Origin origin;
  origin.actor = actor;
  origin.keep_existing = replace == Replace::refused;
  origin.declared = record->declared;
  LARDER_TRY_ASSIGN(Receipt receipt, publish_locked(to, content, origin));
  if (receipt.outcome == Receipt::Outcome::conflict || from == to) return receipt;
  Removal removal;
  removal.actor = actor;
  // Who may read this line need not be one who may know what the other namespace has.
  const bool stays = from.name_space() == to.name_space();
  removal.why = stays ? "renamed to " + to.str() : "renamed into another namespace";
  const auto removed = remove_locked(from, *still, removal);
  const bool gone = !removed && removed.error().code() == Errc::not_found;
  if (!removed && !gone) return removed.error().within(to.str() + " is there, but the old name stays");
  return receipt;
}

}  // namespace larder
