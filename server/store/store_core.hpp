// What Store, Upload, adopt and reconcile share: the parts and the three moves
// that change the tree. Every move takes the key's lock, changes the tree, syncs
// by policy, and writes the index last.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <unordered_map>

#include "common/clock.hpp"
#include "common/namespace_kind.hpp"
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
#include "server/store/quota.hpp"
#include "server/store/recency.hpp"
#include "server/store/scrub.hpp"
#include "server/store/snapshot_set.hpp"
#include "server/store/upload.hpp"

namespace larder {

struct StoreOptions {
  StoreOptions() = default;

  std::vector<NamespaceConfig> namespaces;
  Durability durability = Durability::batch;
  ByteSize free_space_floor{0};
  ByteSize max_object_size = 64_GiB;
  ContentCache::Limits content;
};

class StoreCore {
 public:
  StoreCore(FileSystem& disk, const Clock& clock, std::unique_ptr<Index> index, StoreOptions options);

  Result<UploadStart> begin_upload(const ArtifactKey& key, UploadRequest request);

  // The bytes that `place` can put somewhere become the content of `key`.
  struct Content {
    Digest digest;
    std::uint64_t size = 0;
    ObjectStore::Place place;
  };
  struct Origin {
    std::string actor;
    LedgerAction action = LedgerAction::put;
    bool declared = false;
    bool create_only = false;
    std::optional<Digest> expected;    // what the name has to hold
    std::optional<NameRecord> record;  // restored as it was: times, uploader
    bool keep_existing = false;        // other bytes are a conflict, also where they might be replaced
  };
  Result<Receipt> publish(const ArtifactKey& key, const Content& content, const Origin& origin);

  struct Removal {
    std::string actor;
    std::string why;
    std::optional<Digest> expected;     // Errc::precondition when the name holds anything else,
    std::optional<UnixSeconds> stored;  // or got it at another time
    std::uint64_t generation = 0;       // of the trash; 0: one of its own
    // No sync: after a power cut the name may be back, which is no harm when many go at once.
    bool synced = true;
  };
  Result<Entry> remove(const ArtifactKey& key, const Removal& removal);

  // The trash (trash.cpp) ------------------------------------------------------

  std::uint64_t new_generation();
  Result<void> learn_generations();  // at the start: what trash/ holds
  // Gives a name in the trash its place back, with the times it had. Outcome::conflict: other
  // bytes are there now, and it stays in the trash. Errc::not_found: it is not in the trash.
  Result<Receipt> restore(std::uint64_t generation, const ArtifactKey& key, const std::string& actor);
  // Out of the trash for good; the bytes on disk that this freed.
  Result<std::uint64_t> purge(std::uint64_t generation, const ArtifactKey& key);
  // The content of `from` under the name `to`, then `from` removed. Interrupted, both are there.
  // What holds for an upload of these bytes to `to` holds here; Outcome::conflict leaves both as they were.
  Result<Receipt> rename(const ArtifactKey& from, const ArtifactKey& to, const std::string& actor);

  // Snapshots (snapshot.cpp) ---------------------------------------------------

  Result<void> learn_snapshots();  // at the start: what snapshots/ holds
  // Removes a hidden snapshot's files below `path`, whose keys start with `space_prefix`.
  Result<void> clear_frozen(const std::string& path, const std::string& space_prefix,
                            const std::stop_token& stop);
  Result<void> freeze(const ArtifactKey& live, const NameRecord& row, const std::string& frozen);
  Result<void> thaw(const std::string& frozen, const NameRecord& row, const std::string& actor,
                    api::RestoreResult& result);
  // Notes that a name was read or asked for; never waits for the disk.
  void note(KeyView key, Access access);
  Result<void> flush_recency();
  void collect(const Digest& digest);  // frees what no name leads to any more

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
  // The names whose rows tell of this content. Reads the whole index.
  Result<std::vector<ArtifactKey>> names_of(const Digest& digest) const;
  // The object is lost, and the file of `key` has its bytes: it becomes the object again.
  Result<void> refile(const ArtifactKey& key, const Digest& digest);
  // The file of `key`, `inode`, has the bytes of the object, but is another: `key` becomes a link again.
  Result<void> rejoin(const ArtifactKey& key, const Digest& digest, std::uint64_t inode);

  // Lines for the ledger about `what`, which is no change of names.
  Result<void> tell_ledger(LedgerAction action, const std::vector<std::string>& what,
                           const std::string& actor);
  Result<void> sync_file(File& file);
  Result<Digest> hash(File& file);
  std::string new_staging_path();

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
  ContentCache contents;
  ScrubState scrubbing;
  LockTable<ArtifactKey> key_locks;
  SnapshotSet snapshots;
  std::mutex snapshot_mutex;                 // one is made or removed at a time
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
  Result<void> file_under(const Digest& digest, const std::string& path, File& file);
  Result<void> drop_row_locked(const ArtifactKey& key, const NameRecord& row);
  Result<void> set_aside_locked(const ArtifactKey& key, const std::optional<NameRecord>& row,
                                const std::string& why);
  Result<void> set_damaged_aside(const ArtifactKey& key, const std::optional<NameRecord>& row,
                                 const Digest& digest, std::uint64_t inode);
  void take_back(const ArtifactKey& key, const std::optional<NameRecord>& before);
  void distrust_index();
  // Renames, over what is there or only where nothing is. Directories above `to` are made as needed, and
  // again when a removal next door takes an empty one away. Errc::not_found: there is no `from`.
  enum class Existing { replace, keep };
  Result<void> move_file(const std::string& from, const std::string& to, Existing existing);
  Result<std::string> move_to_trash(const ArtifactKey& key, std::uint64_t generation);  // where it is now
  Result<std::string> move_to_quarantine(const ArtifactKey& key);                       // likewise
  Result<void> visit_links(const std::string& directory, std::uint64_t inode, const ToldPath& visit);
  Result<void> tell_corrupt(const std::string& path, const Digest& digest, const std::string& why);
  Result<void> record_move(const ArtifactKey& key, const Result<std::string>& trash,
                           const IndexChange& change, bool synced = true);
  Result<void> check_size(const ArtifactKey& key, std::uint64_t size) const;
  Result<void> copy_bytes(const std::string& from, const Digest& digest, const std::string& to);
  Result<Receipt> refuse(const ArtifactKey& key, const Content& content, const Origin& origin,
                         const NameRecord& existing);
  Result<ObjectStore::Linked> link_name(const ArtifactKey& key, const Content& content, bool replace);
  // Errc::forbidden for what is frozen.
  static Result<void> check_live(const ArtifactKey& key);

  std::map<std::string, NamespaceConfig, std::less<>> namespaces_;
  std::atomic<std::uint64_t> staging_number_{0};
  std::atomic<std::uint64_t> last_generation_{0};
};

Entry to_entry(const NameRecord& record);

}  // namespace larder
