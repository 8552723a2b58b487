// What Store, Upload, adopt and reconcile share: the parts and the three moves
// that change the tree. Every move takes the key's lock, changes the tree, syncs
// by policy, and writes the index last.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "common/clock.hpp"
#include "common/namespace_kind.hpp"
#include "common/prune_api.hpp"
#include "common/snapshot_api.hpp"
#include "server/config.hpp"
#include "server/store/content_cache.hpp"
#include "server/store/directory_sync.hpp"
#include "server/store/entry.hpp"
#include "server/store/file_system.hpp"
#include "server/store/index.hpp"
#include "server/store/lock_table.hpp"
#include "server/store/object_store.hpp"
#include "server/store/pins.hpp"
#include "server/store/publication.hpp"
#include "server/store/quota.hpp"
#include "server/store/recency.hpp"
#include "server/store/scrub.hpp"
#include "server/store/snapshot_set.hpp"
#include "server/store/upload.hpp"
#include "server/store/upload_journal.hpp"

namespace larder {

struct StoreOptions {
  StoreOptions() = default;

  std::vector<NamespaceConfig> namespaces;
  Durability durability = Durability::batch;
  ByteSize free_space_floor{0};
  std::uint32_t free_inode_floor = 0;  // 0: inodes are not looked at
  ByteSize max_object_size = 64_GiB;
  ContentCache::Limits content;
  UploadJournal::Limits journal;
  Index::Medium index_medium = Index::Medium::disk;
};

class StoreCore {
 public:
  StoreCore(FileSystem& disk, const Clock& clock, std::unique_ptr<Index> index, StoreOptions options);

  // `bytes`, if not empty, are all that will come, and outlive the upload: they need no staging.
  Result<UploadStart> begin_upload(const ArtifactKey& key, UploadRequest request,
                                   std::span<const std::byte> bytes = {});
  void store_small(std::span<SmallUpload* const> uploads);
  // Room for so many bytes under a name that is not there yet.
  Result<Quota::Reservation> reserve_for(const ArtifactKey& key, std::uint64_t bytes);

  using Content = Publication::Content;
  using Origin = Publication::Origin;
  // The content becomes that of `key`.
  Result<Receipt> publish(const ArtifactKey& key, const Content& content, const Origin& origin);
  // Each as by publish(), and no two of one key. One that is refused hinders no other one; when the
  // index cannot be written, none is.
  void publish_all(std::span<Publication> all);

  // Removal (removal.cpp) ------------------------------------------------------

  struct Removal {
    std::string actor;
    std::string why;
    std::uint64_t generation = 0;  // of the trash; 0: one of its own
  };
  // Into the trash. Errc::not_found, Errc::no_space: the trash needs an entry for it.
  Result<Entry> remove(const ArtifactKey& key, const Removal& removal);

  // One of many names to go, when it still holds what is said, stored at that time.
  struct Doomed {
    ArtifactKey key;
    Digest digest;
    UnixSeconds stored = 0;
    bool gone = false;  // out
  };
  // For good: needs no room on the disk, and gives some; says how many bytes.
  enum class Into { trash, nothing };
  // All at once: their locks are held together, and the index is written once. Not synced: after a
  // power cut some may be back, which is no harm. On an error `gone` tells what went before it.
  Result<std::uint64_t> remove_all(std::span<Doomed> names, const Removal& removal, Into into);

  // The trash (trash.cpp) ------------------------------------------------------

  std::uint64_t new_generation();
  Result<void> learn_generations();  // at the start: what trash/ holds
  // Names in one generation of the trash.
  struct Kept {
    ArtifactKey key;
    TrashRecord record;
  };
  // Gives names in the trash their places back, with the times they had; `event` counts them. Those whose
  // place is taken by other bytes, and signatures of another archive than is there now, stay in the trash,
  // and count as refused.
  Result<void> restore(std::uint64_t generation, std::span<const Kept> names, const std::string& actor,
                       api::TrashEvent& event);
  // Out of the trash for good; the bytes on disk that this freed. Needs no room on the disk.
  enum class Objects { may_go, have_names };  // have_names: no need to look
  Result<std::uint64_t> purge(std::uint64_t generation, std::span<const Kept> names,
                              Objects of_names = Objects::may_go);
  // The content of `from` under the name `to`, then `from` removed. Interrupted, both are there.
  // What holds for an upload of these bytes to `to` holds here; Outcome::conflict leaves both as they were.
  enum class Replace { allowed, refused };  // of a growing tarball's bytes
  Result<Receipt> rename(const ArtifactKey& from, const ArtifactKey& to, const std::string& actor,
                         Replace replace);

  // The journal of small uploads (journal_replay.cpp) ------------------------------

  // At the start: places again what the journal tells of and a power cut took, and goes on with an empty one
  // where the policy is to use one.
  Result<void> replay_journal();

  // Whom contents are counted for (charges.cpp) ---------------------------------

  // A content of which the namespace that it is counted for has no name any more is counted for one that
  // has: in its tree, or else in its trash, or else for nobody. How many changed. Reads all rows of names,
  // more than once when there are more contents than it knows `at_once` (16 bytes each), and asks before each
  // whether it is to end (Errc::cancelled). Does nothing while the index is not complete.
  static constexpr std::size_t k_at_once = 2'000'000;
  Result<std::uint64_t> settle_charges(const std::function<bool()>& is_ended,
                                       std::size_t at_once = k_at_once);

  // Snapshots (snapshot.cpp) ---------------------------------------------------

  Result<void> learn_snapshots();  // at the start: what snapshots/ holds
  bool is_in_snapshot(const NamespaceConfig& config, std::string_view snapshot) const;
  // Removes a hidden snapshot's files below `path`, whose keys start with `space_prefix`.
  Result<void> clear_frozen(const std::string& path, const std::string& space_prefix,
                            const std::stop_token& stop);
  Result<void> freeze(const ArtifactKey& live, const NameRecord& row, const std::string& frozen);
  // Rows of a snapshot, by their names: back into the live namespaces, together.
  Result<void> thaw(std::span<const std::pair<std::string, NameRecord>> frozen, const std::string& actor,
                    api::RestoreResult& result);
  // Notes that a name was read or asked for; never waits for the disk.
  void note(KeyView key, Access access);
  Result<void> flush_recency();
  void collect(const Digest& digest);  // frees what no name leads to any more

  std::vector<std::string> namespace_names() const;
  std::vector<std::string> space_names() const;  // and those of snapshots: "@snapshot/namespace"
  // As the index was found: of every namespace that has anything.
  bool is_index_complete() const;
  // What the index says needs no look at the tree from now on, unless it was distrusted since.
  void trust_index(std::uint64_t distrusted_before);

  // The row of `key`; where the index is not complete, compared with the tree,
  // and set right by it, first.
  Result<std::optional<NameRecord>> find(const ArtifactKey& key);

  // The tree has `key` and the index does not, or says something else: hashes
  // the file and enters it. Nothing when the tree has no such file, or one whose
  // bytes are not those that were stored; that is set aside.
  using ObjectsByInode = std::unordered_map<std::uint64_t, Digest>;
  Result<std::optional<NameRecord>> enter_from_tree(const ArtifactKey& key, const ObjectsByInode& known);
  // The index has `key` and the tree does not.
  Result<void> drop_stale_row(const ArtifactKey& key);
  // Its file is not what was stored: out of the tree, into the quarantine.
  Result<void> set_aside(const ArtifactKey& key, const std::string& why);
  // The same when its name leads to this inode; otherwise nothing, and false.
  Result<bool> set_aside_inode(const ArtifactKey& key, std::uint64_t inode, const std::string& why);

  // The bytes of `inode` are not those it was filed under: no upload is given it from now on, and every
  // name that leads to it, in tree, trash and snapshots, goes into the quarantine; `found_by`, if not null,
  // first. `told` hears of each. Errc::not_found when it is not filed there (any more).
  using ToldPath = std::function<void(const std::string& path)>;
  Result<void> condemn(const Digest& digest, std::uint64_t inode, const ArtifactKey* found_by,
                       const std::string& why, const ToldPath& told);
  // A name below trash/ leads to what is condemned.
  Result<void> set_kept_aside(const std::string& path, const ArtifactKey& key, const Digest& digest,
                              const std::string& why);
  // The names whose rows tell of this content, frozen ones included. Reads the whole index.
  Result<std::vector<ArtifactKey>> names_of(const Digest& digest) const;
  // The object is lost, and the file of `key`, `inode`, has its bytes: it becomes the object again.
  Result<void> refile(const ArtifactKey& key, const Digest& digest, std::uint64_t inode);
  // The file of `key`, `inode`, has the bytes of the object, but is another: `key` becomes a link again.
  Result<void> rejoin(const ArtifactKey& key, const Digest& digest, std::uint64_t inode);

  // Lines for the ledger about `what`, which is no change of names.
  Result<void> tell_ledger(LedgerAction action, const std::vector<std::string>& what,
                           const std::string& actor);
  // That so many bytes of a generation left the trash. A full disk is no error: then there is no such line.
  Result<void> tell_emptied(std::uint64_t generation, std::uint64_t bytes, const std::string& actor,
                            const std::string& why);
  Result<void> sync_file(File& file);
  // Whether an upload of so many bytes is made durable by the journal.
  bool is_journalled(std::uint64_t size) const { return journal && journal->takes(size); }
  Result<Digest> hash(File& file);
  std::string new_staging_path();

  // Lanes (lane.cpp) -----------------------------------------------------------

  // The name that is read where a lane has none of its own; nothing in a namespace that is no lane.
  std::optional<ArtifactKey> overlaid(const ArtifactKey& key) const;
  // What that name holds.
  Result<std::optional<NameRecord>> find_overlaid(const ArtifactKey& key);
  // The same by the index alone, for who holds the lane's key: never two keys' locks, one after the other.
  Result<std::optional<NameRecord>> peek_overlaid(const ArtifactKey& key) const;
  // The bytes of `from` under the name `to` as well, with who stored them first.
  struct Promotion {
    std::string actor;
    std::string why;
    Replace replace = Replace::refused;
  };
  Result<Receipt> promote(const ArtifactKey& from, const ArtifactKey& to, const NameRecord& row,
                          const Promotion& promotion);
  // Whatever becomes of the lane, the bytes stay: they are the trusted namespace's to count.
  Result<void> count_below(const ArtifactKey& from, const ArtifactKey& to, const Digest& digest);

  // Of a namespace, or of "@snapshot/namespace" while there is such a snapshot; null otherwise.
  const NamespaceConfig* find_namespace(std::string_view space) const;
  std::uint64_t max_object_size(std::string_view name_space) const;  // bytes

  FileSystem& disk;
  const Clock& clock;
  const std::unique_ptr<Index> index;
  const StoreOptions options;
  ObjectStore objects;
  Pins pins;
  Quota quota;
  Recency recency;
  DirectorySync directories;
  std::unique_ptr<UploadJournal> journal;  // null: every upload is synced by itself, or none is
  ContentCache contents;
  ScrubState scrubbing;
  LockTable<ArtifactKey> key_locks;
  SnapshotSet snapshots;
  std::atomic<std::uint64_t> distrusted{0};  // how often; reconcile starts over when it grows
  std::atomic<bool> index_complete{false};   // what the index says needs no look at the tree

 private:
  IndexChange change_of(const ArtifactKey& key, LedgerAction action, const Digest& digest,
                        std::uint64_t size) const;
  Result<std::optional<NameRecord>> find_locked(const ArtifactKey& key);
  Result<std::optional<NameRecord>> enter_locked(const ArtifactKey& key, const ObjectsByInode* known);
  Result<std::optional<NameRecord>> enter_row(const ArtifactKey& key, const Digest& digest,
                                              const FileStatus& status);
  std::optional<Digest> digest_stored_as(std::uint64_t inode, const std::optional<NameRecord>& row,
                                         const ObjectsByInode* known);
  Result<void> file_under(const Digest& digest, File& file);
  Result<void> drop_row_locked(const ArtifactKey& key, const NameRecord& row);
  Result<void> set_aside_locked(const ArtifactKey& key, const std::optional<NameRecord>& row,
                                const std::string& why);
  Result<void> set_damaged_aside(const ArtifactKey& key, const std::optional<NameRecord>& row,
                                 const Digest& digest, std::uint64_t inode);
  void take_back(const ArtifactKey& key, const std::optional<NameRecord>& before);
  void distrust_index();
  Result<void> make_found_last();
  // Renames, over what is there or only where nothing is. Directories above `to` are made as needed, and
  // again when a removal next door takes an empty one away. Errc::not_found: there is no `from`.
  enum class Existing { replace, keep };
  Result<void> move_file(const std::string& from, const std::string& to, Existing existing);
  Result<std::string> move_to_quarantine(const ArtifactKey& key);  // where it is now
  Result<void> visit_links(const std::string& directory, std::uint64_t inode, const ToldPath& visit);
  Result<void> tell_corrupt(const std::string& path, const Digest& digest, const std::string& why);
  Result<void> record_move(const ArtifactKey& key, const Result<std::string>& moved,
                           const IndexChange& change);

  // Publishing in steps, so that many can share them. The key's lock is held over all of them.
  struct Placed {
    const ArtifactKey* key = nullptr;
    NameRecord name;
    std::optional<NameRecord> replaced;
    IndexChange change;
    std::vector<std::string> directories;  // to be synced
    bool journalled = false;               // then they need not
  };
  Result<Receipt> publish_locked(const ArtifactKey& key, const Content& content, const Origin& origin);
  // What went to the journal. Nothing else is asked of it before `pending` is dropped.
  struct Journalled {
    std::optional<UploadJournal::Pending> pending;
    std::vector<Publication*> refused;  // in the journal, and not in the tree
  };
  Journalled publish_locked(std::span<Publication> all);
  std::unique_ptr<Upload> stage(SmallUpload& small);
  void admit(Publication& publication, Placed& placed);
  Journalled secure(std::span<Publication> all, std::span<Placed> placed);
  void place(Publication& publication, Placed& placed);
  Result<std::optional<Receipt>> admission(const ArtifactKey& key, const Content& content,
                                           const Origin& origin, Placed& placed);
  Result<std::optional<Receipt>> placing(const ArtifactKey& key, const Content& content, const Origin& origin,
                                         Placed& placed);
  // The tree is changed, or a receipt says why there is nothing to change.
  Result<std::optional<Receipt>> place_name(const ArtifactKey& key, const Content& content,
                                            const Origin& origin, Placed& placed);
  // Syncs and writes the index. All of them, or on an error none: the tree is as it was.
  Result<void> record_placed(std::span<Placed> all);
  Result<void> record_placed(const std::vector<Placed*>& all);

  // Signatures that come back (signature.cpp) -----------------------------------

  // The archive that a signature is of; nothing for any other name.
  std::optional<ArtifactKey> signed_by(const ArtifactKey& key) const;
  // Of all `keys`, and of the archives that those among them are signatures of.
  LockTable<ArtifactKey>::Locks lock_with_archives(const std::vector<const ArtifactKey*>& keys);
  // Whether it is a signature that would come back beside another archive than its own. `placed`: what came
  // back with it. The locks of both are held.
  Result<bool> kept_signs_another(std::uint64_t generation, const ArtifactKey& key, const TrashRecord& row,
                                  std::span<const Placed> placed);
  Result<bool> frozen_signs_another(const ArtifactKey& frozen, const ArtifactKey& live, const NameRecord& row,
                                    std::span<const Placed> placed);
  // `own`: the archive that lay beside it; when there was none, one that was stored after `last` is another.
  Result<bool> is_another(const ArtifactKey& archive, const std::optional<NameRecord>& own, UnixSeconds last,
                          std::span<const Placed> placed);

  Result<void> place_frozen(const std::string& frozen, const NameRecord& row, const ArtifactKey& live,
                            const std::string& actor, std::vector<Placed>& placed,
                            api::RestoreResult& result);
  Result<void> place_kept(std::uint64_t generation, std::span<const Kept> names, const std::string& actor,
                          std::vector<Placed>& placed, std::vector<Kept>& back, api::TrashEvent& event);

  // Likewise for removals.
  struct TakenOut {
    const ArtifactKey* key = nullptr;
    NameRecord row;
    bool vanished = false;  // there was no file
    IndexChange change;
  };
  Result<TakenOut> take_out(const ArtifactKey& key, const NameRecord& row, const Removal& removal, Into into);
  // Before a change that the journal is not told of.
  Result<void> settle(const ArtifactKey& key, const Digest& digest) {
    return journal ? journal->settle(key.str(), digest) : Result<void>();
  }
  enum class Looked { at_the_disk, at_memory_too };
  Result<std::unordered_set<std::uint64_t>> find_whole(const NameRecord& name, Looked looked);
  Result<bool> has_lasted(const JournalRecord& record, const ArtifactKey& key,
                          const std::unordered_set<std::uint64_t>& whole);
  Result<void> enter_uploaded(const ArtifactKey& key, const NameRecord& name);
  Result<void> place_again(const UploadJournal::Leftover& leftover, const ArtifactKey& key);
  enum class Sync { now, never };
  Result<std::uint64_t> record_taken_out(std::span<const TakenOut> all, Into into, Sync sync);  // bytes freed
  void put_back(const TakenOut& taken);
  // The objects that were only there for these names; the bytes on disk that this freed.
  std::uint64_t free_objects(const std::vector<const NameRecord*>& rows);
  Result<Entry> remove_locked(const ArtifactKey& key, const NameRecord& row, const Removal& removal);
  Result<void> check_size(const ArtifactKey& key, std::uint64_t size) const;
  Result<void> copy_bytes(const std::string& from, const Digest& digest, const std::string& to);
  Result<Receipt> refuse(const ArtifactKey& key, const Content& content, const Origin& origin,
                         const NameRecord& existing);
  Result<ObjectStore::Linked> link_name(const ArtifactKey& key, const Content& content, bool replace);
  // Errc::forbidden for what is frozen.
  static Result<void> check_live(const ArtifactKey& key);

  std::map<std::string, NamespaceConfig, std::less<>> namespaces_;
  std::mutex trust_mutex_;  // of `distrusted` and what follows from it
  std::atomic<std::uint64_t> staging_number_{0};
  std::atomic<bool> found_lasts_{false};  // what the start found has been synced
  std::atomic<std::uint64_t> last_generation_{0};
};

Entry to_entry(const NameRecord& record);

}  // namespace larder
