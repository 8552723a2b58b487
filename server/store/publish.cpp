// StoreCore, the part that gives names their content: first what is admitted is made
// durable or on its way to be, then it is linked into the tree, then the index learns of it.
// One at a time, or many that share each of these steps.
#include "server/store/layout.hpp"
#include "server/store/store_core.hpp"

namespace larder {
namespace {

Publication publication_of(const ArtifactKey& key, const Publication::Content& content,
                           const Publication::Origin& origin) {
  Publication publication;
  publication.key = &key;
  publication.content = &content;
  publication.origin = &origin;
  return publication;
}

}  // namespace

// The name holds something that stays: the same bytes, or others and a line in the ledger.
Result<Receipt> StoreCore::refuse(const ArtifactKey& key, const Content& content, const Origin& origin,
                                  const NameRecord& existing) {
  Receipt receipt;
  receipt.entry = to_entry(existing);
  receipt.offered = content.digest;
  receipt.outcome = Receipt::Outcome::present;
  if (existing.digest == content.digest) {
    LARDER_TRY(make_found_last());
    LARDER_TRY_ASSIGN(const std::optional<NameRecord> own, index->name(key));
    const std::optional<ArtifactKey> below = own ? std::nullopt : overlaid(key);
    note(below ? *below : key, Access::seen);  // whoever sends it counts on it
    return receipt;
  }

  receipt.outcome = Receipt::Outcome::conflict;
  const NamespaceConfig* const name_space = find_namespace(key.name_space());
  receipt.replaceable =
      name_space != nullptr && overwrite_rule(name_space->kind, key.path()) == OverwriteRule::replaceable;
  IndexChange change = change_of(key, LedgerAction::conflict, content.digest, content.size);
  change.key = nullptr;  // the name stays as it is
  change.ledger.actor = origin.actor;
  change.ledger.why = "other bytes (" + existing.digest.hex() + ") are there, from " + existing.uploader;
  LARDER_TRY(index->apply(change));
  return receipt;
}

Result<Receipt> StoreCore::publish(const ArtifactKey& key, const Content& content, const Origin& origin) {
  Publication one = publication_of(key, content, origin);
  publish_all(std::span(&one, 1));
  return std::move(*one.outcome);
}

Result<Receipt> StoreCore::publish_locked(const ArtifactKey& key, const Content& content,
                                          const Origin& origin) {
  Publication one = publication_of(key, content, origin);
  publish_locked(std::span(&one, 1));
  return std::move(*one.outcome);
}

void StoreCore::publish_all(std::span<Publication> all) {
  std::vector<const ArtifactKey*> keys;
  keys.reserve(all.size());
  for (const Publication& each : all) keys.push_back(each.key);
  Journalled journalled = [&] {
    const auto locks = key_locks.lock_all(keys);
    return publish_locked(all);
  }();
  journalled.pending.reset();
  // The journal must not place again what was not placed, over what stands there.
  for (const Publication* each : journalled.refused) (void)settle(*each->key, each->content->digest);
}

StoreCore::Journalled StoreCore::publish_locked(std::span<Publication> all) {
  std::vector<Placed> placed(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) admit(all[i], placed[i]);
  Journalled journalled = secure(all, placed);
  std::vector<Placed*> done;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].outcome) place(all[i], placed[i]);
    if (all[i].outcome) continue;
    done.push_back(&placed[i]);
    places.push_back(i);
  }
  const Result<void> recorded = record_placed(done);
  for (const std::size_t i : places) {
    if (!recorded) {
      all[i].outcome = recorded.error();
      continue;
    }
    Receipt receipt;
    receipt.outcome = placed[i].replaced ? Receipt::Outcome::replaced : Receipt::Outcome::created;
    receipt.entry = to_entry(placed[i].name);
    receipt.offered = all[i].content->digest;
    all[i].outcome = receipt;
  }
  const auto was_placed = [](const Publication* each) {
    return each->outcome->ok() && (*each->outcome)->outcome != Receipt::Outcome::present &&
           (*each->outcome)->outcome != Receipt::Outcome::conflict;
  };
  std::erase_if(journalled.refused, was_placed);
  return journalled;
}

// Into the journal, together, what is to go there. What is not is made safe from it.
StoreCore::Journalled StoreCore::secure(std::span<Publication> all, std::span<Placed> placed) {
  Journalled journalled;
  std::vector<UploadJournal::Entry> entries;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].outcome) continue;
    if (!all[i].content->body.empty()) {
      entries.push_back({all[i].key->str(), &placed[i].name, all[i].content->body});
      journalled.refused.push_back(&all[i]);  // until it is placed
      placed[i].journalled = true;
      continue;
    }
    const auto settled = settle(*all[i].key, all[i].content->digest);
    if (!settled) all[i].outcome = settled.error();
  }
  if (entries.empty()) return journalled;
  auto appended = journal->append(entries);
  if (appended) {
    journalled.pending.emplace(std::move(*appended));
    return journalled;
  }
  for (Publication* each : journalled.refused) each->outcome = appended.error();
  journalled.refused.clear();  // nothing of it is in the journal
  return journalled;
}

Result<std::optional<Receipt>> StoreCore::place_name(const ArtifactKey& key, const Content& content,
                                                     const Origin& origin, Placed& placed) {
  Publication one = publication_of(key, content, origin);
  admit(one, placed);
  (void)secure(std::span(&one, 1), std::span(&placed, 1));  // with no body for the journal
  if (!one.outcome) place(one, placed);
  if (!one.outcome) return std::optional<Receipt>();
  if (!*one.outcome) return one.outcome->error();
  return std::optional(**one.outcome);
}

void StoreCore::admit(Publication& publication, Placed& placed) {
  auto answer = admission(*publication.key, *publication.content, *publication.origin, placed);
  if (!answer) publication.outcome = answer.error();
  if (answer && *answer) publication.outcome = **answer;
}

void StoreCore::place(Publication& publication, Placed& placed) {
  auto answer = placing(*publication.key, *publication.content, *publication.origin, placed);
  if (!answer) publication.outcome = answer.error();
  if (answer && *answer) publication.outcome = **answer;
}

// A receipt or an error when there is nothing to place.
Result<std::optional<Receipt>> StoreCore::admission(const ArtifactKey& key, const Content& content,
                                                    const Origin& origin, Placed& placed) {
  const NamespaceConfig* const name_space = find_namespace(key.name_space());
  if (name_space == nullptr)
    return Error(Errc::not_found, "there is no namespace " + std::string(key.name_space()));
  LARDER_TRY(check_live(key));
  LARDER_TRY_ASSIGN(std::optional<NameRecord> existing, find_locked(key));
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> below,
                    existing ? std::optional<NameRecord>() : peek_overlaid(key));
  const std::optional<NameRecord>& seen = existing ? existing : below;
  if (seen && origin.create_only)
    return Error(Errc::precondition, "cannot store " + key.str() + ": it exists (If-None-Match: *)");
  if (origin.expected && (!seen || seen->digest != *origin.expected))
    return Error(Errc::precondition, "cannot store " + key.str() + ": it changed meanwhile (If-Match)");
  const auto refused = [&]() -> Result<std::optional<Receipt>> {
    LARDER_TRY_ASSIGN(const Receipt receipt, refuse(key, content, origin, existing ? *existing : *below));
    return std::optional(receipt);
  };
  const bool fixed = overwrite_rule(name_space->kind, key.path()) == OverwriteRule::write_once;
  // A lane adds to what it overlays, and never says something else under the same name; but a growing
  // tarball may well be ahead there.
  const bool is_below = below && (fixed || below->digest == content.digest);
  if (is_below || (existing && (fixed || origin.keep_existing || existing->digest == content.digest)))
    return refused();

  placed.key = &key;
  placed.name.digest = content.digest;
  placed.name.size = content.size;
  placed.name.stored = origin.record ? origin.record->stored : clock.now();
  placed.name.declared = origin.declared;
  placed.name.uploader = origin.record ? origin.record->uploader : origin.actor;
  placed.replaced = std::move(existing);
  return std::optional<Receipt>();
}

Result<std::optional<Receipt>> StoreCore::placing(const ArtifactKey& key, const Content& content,
                                                  const Origin& origin, Placed& placed) {
  auto linked = link_name(key, content, placed.replaced.has_value());
  if (!linked && linked.error().code() == Errc::exists) {  // the tree had it and the index did not know
    LARDER_TRY_ASSIGN(const std::optional<NameRecord> existing, enter_locked(key, nullptr));
    if (existing) {
      LARDER_TRY_ASSIGN(const Receipt receipt, refuse(key, content, origin, *existing));
      return std::optional(receipt);
    }
    return Error(Errc::conflict, "cannot store " + key.str() + ": there is a directory of that name");
  }
  if (!linked && linked.error().code() == Errc::conflict)
    return Error(Errc::conflict,
                 "cannot store " + key.str() + ": a file stands where its directory would be");
  if (!linked && linked.error().code() == Errc::not_found) return Error(Errc::io, linked.error().message());
  if (!linked) return linked.error();

  const LedgerAction action = placed.replaced ? LedgerAction::replace : origin.action;
  placed.change = change_of(key, action, content.digest, content.size);
  placed.change.ledger.actor = origin.actor;
  placed.change.ledger.why = origin.why;
  placed.change.name = placed.name;
  if (content.size > 0) {  // who stored it first may fail, and leave the object to this name
    placed.change.new_object.emplace();
    placed.change.new_object->size = content.size;
    placed.change.new_object->verified = linked->new_content ? clock.now() : 0;
    placed.change.new_object->charged_to = key.name_space();
  }
  if (!placed.journalled) placed.directories = std::move(linked->directories);
  return std::optional<Receipt>();
}

Result<void> StoreCore::record_placed(std::span<Placed> all) {
  std::vector<Placed*> pointers;
  pointers.reserve(all.size());
  for (Placed& each : all) pointers.push_back(&each);
  return record_placed(pointers);
}

Result<void> StoreCore::record_placed(const std::vector<Placed*>& all) {
  if (all.empty()) return {};
  std::vector<std::string> changed;
  std::vector<IndexChange> changes;
  changes.reserve(all.size());
  for (Placed* each : all) {
    changed.insert(changed.end(), each->directories.begin(), each->directories.end());
    changes.push_back(std::move(each->change));
  }
  Result<void> recorded;
  for (const Placed* each : all) {
    // Its bytes may be those of an upload that came just before it was linked.
    if (!each->journalled && each->name.size > 0 && recorded)
      recorded = settle(*each->key, each->name.digest);
  }
  if (recorded) recorded = directories.sync(changed);
  if (recorded) {
    const auto sequence = index->apply(changes);
    if (!sequence) recorded = sequence.error();
  }
  for (const Placed* each : all) {
    if (recorded && each->replaced) collect(each->replaced->digest);
    if (recorded) continue;
    take_back(*each->key, each->replaced);  // not acknowledged, so not there
    collect(each->name.digest);
  }
  if (!recorded && recorded.error().code() == Errc::not_found)
    return Error(Errc::io, recorded.error().message());
  return recorded;
}

Result<ObjectStore::Linked> StoreCore::link_name(const ArtifactKey& key, const Content& content,
                                                 bool replace) {
  const std::string name = layout::tree_path(key);
  if (content.size == 0) {  // nothing to share, and an empty inode would soon run out of links
    ObjectStore::Linked linked;
    constexpr int k_tries = 16;  // a removal next door may take the empty directory away
    Result<void> placed = Error(Errc::not_found, "");
    for (int attempt = 0; attempt < k_tries && !placed && placed.error().code() == Errc::not_found;
         ++attempt) {
      (void)make_directories(disk, parent_of(name));
      placed = content.place(name);
    }
    if (!placed) return placed.error();
    linked.directories.push_back(parent_of(name));
    return linked;
  }
  if (!replace) return objects.link(content.digest, content.size, content.place, name, content.guess);

  const std::string staged = new_staging_path();
  LARDER_TRY_ASSIGN(ObjectStore::Linked linked,
                    objects.link(content.digest, content.size, content.place, staged, content.guess));
  const Result<void> replaced = disk.replace(staged, name);
  if (!replaced) {
    (void)disk.remove(staged);
    collect(content.digest);
    return replaced.error();
  }
  std::erase(linked.directories, layout::k_staging);
  linked.directories.push_back(parent_of(name));
  return linked;
}

// Undoes link_name(). Where even that fails, the index no longer tells the
// truth about this name, and says so until the next reconcile.
void StoreCore::take_back(const ArtifactKey& key, const std::optional<NameRecord>& before) {
  const std::string name = layout::tree_path(key);
  Result<void> undone;
  if (!before) {
    undone = disk.remove(name);
  } else {
    const std::string staged = new_staging_path();
    const auto no_bytes = [](const std::string&) -> Result<void> {
      return Error(Errc::io, "the old object is gone");
    };
    const auto linked = objects.link(before->digest, before->size, no_bytes, staged);
    undone = linked ? disk.replace(staged, name) : linked.error();
  }
  if (!undone) distrust_index();
}

}  // namespace larder
