// StoreCore, the part that gives a content another name. A link under the new
// name first, the old one away last: in between both lead to the same bytes.
#include "common/name_list.hpp"
#include "server/store/layout.hpp"
#include "server/store/store_core.hpp"

namespace larder {

// For the rare case that no inode of the content can take another link.
Result<void> StoreCore::copy_bytes(const std::string& from, const std::string& to) {
  LARDER_TRY_ASSIGN(const auto source, disk.open(from));
  const std::string staged = new_staging_path();
  LARDER_TRY_ASSIGN(const auto copy, disk.create(staged));
  const auto fill = [&]() -> Result<void> {
    std::vector<std::byte> buffer(256 << 10);
    for (std::uint64_t offset = 0;;) {
      LARDER_TRY_ASSIGN(const std::size_t count, source->read_at(offset, buffer));
      if (count == 0) break;
      LARDER_TRY(copy->append(std::span(buffer).first(count)));
      offset += count;
    }
    LARDER_TRY(copy->seal());
    LARDER_TRY(sync_file(*copy));
    return disk.publish(staged, to);
  };
  const Result<void> filled = fill();
  if (!filled) (void)disk.remove(staged);
  return filled;
}

Result<Receipt> StoreCore::rename(const ArtifactKey& from, const ArtifactKey& to, const std::string& actor) {
  if (to.path() == k_name_list)
    return Error(Errc::invalid_name, "index.txt is the list of names and cannot be stored");
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> record, find(from));
  if (!record) return Error(Errc::not_found, "there is no " + from.str());
  const NamespaceConfig* const target = find_namespace(to.name_space());
  if (record->size == 0 && target != nullptr && target->kind != NamespaceKind::generic)
    return Error(Errc::invalid_argument, "cannot store " + to.str() + ": it is empty");
  LARDER_TRY(check_size(to, record->size));

  Content content;
  content.digest = record->digest;
  content.size = record->size;
  content.place = [&](const std::string& path) { return copy_bytes(layout::tree_path(from), path); };
  Origin origin;
  origin.actor = actor;
  origin.declared = record->declared;
  LARDER_TRY_ASSIGN(Receipt receipt, publish(to, content, origin));
  if (receipt.outcome == Receipt::Outcome::conflict || from == to) return receipt;
  Removal removal;
  removal.actor = actor;
  removal.why = "renamed to " + to.str();
  removal.expected = record->digest;
  LARDER_TRY(remove(from, removal));
  return receipt;
}

}  // namespace larder
