// StoreCore, the part about signatures that come back from the trash or a snapshot: never beside
// another archive than the one they are of, which every build would refuse for it.
#include <algorithm>

#include "common/tree_rules.hpp"
#include "server/store/store_core.hpp"

namespace larder {

std::optional<ArtifactKey> StoreCore::signed_by(const ArtifactKey& key) const {
  const NamespaceConfig* const config = find_namespace(key.name_space());
  if (config == nullptr || group_role(config->kind, key.path()) != GroupRole::signature) return std::nullopt;
  auto archive = ArtifactKey::make(key.name_space(), group_key(config->kind, key.path()));
  if (!archive) return std::nullopt;
  return std::move(*archive);
}

LockTable<ArtifactKey>::Locks StoreCore::lock_with_archives(const std::vector<const ArtifactKey*>& keys) {
  std::vector<ArtifactKey> archives;
  for (const ArtifactKey* each : keys) {
    auto archive = signed_by(*each);
    if (archive) archives.push_back(std::move(*archive));
  }
  std::vector<const ArtifactKey*> all = keys;
  for (const ArtifactKey& each : archives) all.push_back(&each);
  return key_locks.lock_all(all);
}

Result<bool> StoreCore::kept_signs_another(std::uint64_t generation, const ArtifactKey& key,
                                           const TrashRecord& row, std::span<const Placed> placed) {
  const std::optional<ArtifactKey> archive = signed_by(key);
  if (!archive) return false;
  LARDER_TRY_ASSIGN(const std::optional<TrashRecord> own, index->trash(generation, *archive));
  return is_another(*archive, own ? std::optional(own->name) : std::nullopt, row.removed, placed);
}

Result<bool> StoreCore::frozen_signs_another(const ArtifactKey& frozen, const ArtifactKey& live,
                                             const NameRecord& row, std::span<const Placed> placed) {
  const std::optional<ArtifactKey> archive = signed_by(live);
  if (!archive) return false;
  LARDER_TRY_ASSIGN(const ArtifactKey beside, ArtifactKey::make(frozen.name_space(), archive->path()));
  LARDER_TRY_ASSIGN(std::optional<NameRecord> own, index->name(beside));
  if (!own) {
    LARDER_TRY_ASSIGN(own, peek_overlaid(beside));
  }
  return is_another(*archive, own, row.stored, placed);
}

Result<bool> StoreCore::is_another(const ArtifactKey& archive, const std::optional<NameRecord>& own,
                                   UnixSeconds last, std::span<const Placed> placed) {
  const bool came_along =
      std::any_of(placed.begin(), placed.end(), [&](const Placed& each) { return *each.key == archive; });
  if (came_along) return false;
  LARDER_TRY_ASSIGN(std::optional<NameRecord> there, find_locked(archive));
  if (!there) {
    LARDER_TRY_ASSIGN(there, peek_overlaid(archive));
  }
  if (!there) return false;
  return own ? there->digest != own->digest : there->stored > last;
}

}  // namespace larder
