// The store: artifacts by name, kept once by content. This is all that the rest
// of the daemon sees of the disk. Blocking and thread-safe; no sockets, no Asio.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/api.hpp"
#include "common/artifact_key.hpp"
#include "common/checkout_event.hpp"
#include "common/digest_list.hpp"
#include "common/name_list.hpp"
#include "common/promote_api.hpp"
#include "common/prune_api.hpp"
#include "common/snapshot_api.hpp"
#include "server/store/checkout.hpp"
#include "server/store/entry.hpp"
#include "server/store/index.hpp"
#include "server/store/ledger_query.hpp"
#include "server/store/store_core.hpp"

namespace larder {

// Errc::invalid_argument when one of two existing directories lies in the other: what is adopted
// must not contain the data directory, nor be a part of it.
Result<void> check_apart(const std::filesystem::path& directory, const std::filesystem::path& data);

class Store {
 public:
  // `data` is the directory that `disk` is rooted at; the index needs its path.
  // Empties tmp/, opens the index, and is ready: nothing is walked.
  static Result<std::unique_ptr<Store>> open(FileSystem& disk, const std::filesystem::path& data,
                                             const Clock& clock, StoreOptions options, ByteSize index_cache);
  ~Store();

  // Flushes what is known of use and closes the index cleanly. Last call.
  Result<void> close();

  // Reading -----------------------------------------------------------------

  // These two never wait for the disk. check() also notes the use of what is there, so that no prune takes
  // what a client was told of.
  Found peek(KeyView key, Entry& entry) const;
  Found check(KeyView key, Access access, Entry& entry);
  Result<Entry> stat(const ArtifactKey& key);
  Result<OpenArtifact> open_artifact(const ArtifactKey& key);
  // The content that `entry` tells of when it is at hand: nothing is waited for.
  bool ready_content(const Entry& entry, OpenArtifact& artifact);
  void note(KeyView key, Access access);  // never waits for the disk

  // One page of the directory `path` ("" is the namespace itself), from behind
  // the page whose `next` is `after`. Errc::not_found when no name lies below it.
  struct DirectoryPage {
    std::vector<api::ListingEntry> entries;  // in the order of the index: "a-b" before "a/"
    std::string next;
    bool more = false;
  };
  Result<DirectoryPage> list_directory(std::string_view name_space, std::string_view path,
                                       std::string_view after, std::size_t limit) const;
  // Whether any name lies below it.
  Result<bool> is_directory(std::string_view name_space, std::string_view path) const;
  // The same from memory or not at all; never waits for the disk.
  Index::Found peek_directory(std::string_view name_space, std::string_view path) const;

  // Paths of a namespace in order, after `after`.
  struct NamePage {
    std::vector<std::string> paths;
    bool more = false;
  };
  Result<NamePage> list_names(std::string_view name_space, std::string_view after, std::size_t limit) const;

  // The same with what each holds.
  struct DigestPage {
    std::vector<ListedFile> files;
    bool more = false;
  };
  Result<DigestPage> list_digests(std::string_view name_space, std::string_view after,
                                  std::size_t limit) const;

  struct Change {
    std::string path;
    bool removed = false;
  };
  // What became of names since a generation, oldest first; a name may come twice.
  struct ChangePage {
    std::vector<Change> changes;
    std::uint64_t reached = 0;  // the generation to go on from
    bool more = false;
  };
  // Errc::not_found: what came next is kept no more.
  Result<ChangePage> changes(std::string_view name_space, std::uint64_t since, std::size_t limit) const;
  std::uint64_t generation() const;         // of the ledger: its last sequence
  std::uint64_t oldest_generation() const;  // that changes() can start from
  // The same as a number for others to keep: it is that of no other state of the names, whatever was lost.
  std::uint64_t list_generation() const;
  // Back again; 0 is what there was before the first line. Nothing: it is not known here, or no more.
  std::optional<std::uint64_t> generation_of(std::uint64_t list_generation) const;

  struct LedgerLine {
    std::uint64_t sequence = 0;
    LedgerRecord record;
  };
  // Newest first. A page may be empty though there is more: its search is bounded.
  struct LedgerPage {
    std::vector<LedgerLine> lines;
    std::uint64_t reached = 0;  // what the next page has to be below
    bool more = false;
  };
  Result<LedgerPage> ledger(const LedgerQuery& query, std::uint64_t below, std::size_t limit) const;
  // Drops its lines from before `time`, but for the newest; how many.
  Result<std::uint64_t> trim_ledger(UnixSeconds time);

  // For each, whether it is missing.
  Result<std::vector<bool>> find_missing(std::string_view name_space, std::span<const WantedName> wanted);

  // Writing -----------------------------------------------------------------

  Result<UploadStart> begin_upload(const ArtifactKey& key, UploadRequest request);
  // Many at once, which costs less than one by one. Each has its own outcome, and is durable by the policy.
  void store_small(std::span<SmallUpload* const> uploads);
  Result<Entry> remove(const ArtifactKey& key, const std::string& actor, const std::string& why);
  using Replace = StoreCore::Replace;
  Result<Receipt> rename(const ArtifactKey& from, const ArtifactKey& to, const std::string& actor,
                         Replace replace = Replace::allowed);

  // From a lane into the namespace that it overlays, by groups, hard links only; what the lane has stays
  // there. Plans, and with rules.apply does it. `report`, if any, hears names and counts.
  struct PromoteOptions {
    PromoteOptions() = default;
    api::PromoteRules rules;
    std::string actor;
    bool may_replace = false;  // a growing tarball that is ahead in the lane
  };
  using PromoteReport = std::function<void(const api::PromoteEvent&)>;
  Result<api::PromoteEvent> promote(const PromoteOptions& options, const PromoteReport& report,
                                    const std::stop_token& stop);

  struct AdoptOptions {
    AdoptOptions() = default;
    std::string name_space;
    bool verify = true;  // archives are read to the end first
    std::string actor;
  };
  // Takes the files of `source` in by hard links, as the skip lists allow.
  // Calls `report` for every file left out, with counts now and then, and at the end.
  Result<api::AdoptEvent> adopt(FileSystem& source, const AdoptOptions& options,
                                const std::function<void(const api::AdoptEvent&)>& report,
                                std::stop_token stop);

  // Makes a view of a namespace or of a snapshot's in `view`. Calls `report` for every file that
  // needs saying, with counts now and then, and at the end.
  Result<api::CheckoutEvent> checkout(FileSystem& view, const CheckoutOptions& options,
                                      const std::function<void(const api::CheckoutEvent&)>& report,
                                      std::stop_token stop);

  // Pruning -----------------------------------------------------------------

  // Plans, and with rules.apply moves to the trash, in small steps that others can get between.
  // `report`, if any, hears names (rules.list), and counts now and then. What is used while it goes on stays.
  struct PrunePolicy {
    std::int64_t lease = 0;  // seconds for which what was asked for stays
    std::int64_t grace = 0;  // seconds for which what was stored stays
  };
  using PruneReport = std::function<void(const api::PruneEvent&)>;
  Result<api::PruneEvent> prune(const api::PruneRules& rules, const PrunePolicy& policy,
                                const std::string& actor, const PruneReport& report,
                                const std::stop_token& stop);

  // StoreCore::settle_charges(), for who goes by what namespaces take.
  Result<std::uint64_t> settle_charges(const std::stop_token& stop,
                                       std::size_t at_once = StoreCore::k_at_once);

  Result<void> list_trash(
      const std::function<bool(const api::TrashGeneration&)>& visit) const;  // oldest first
  // Back to where they were; 0 is the newest generation. Errc::not_found: there is none.
  // Errc::cancelled: stopped between two batches; again, it goes on.
  Result<api::TrashEvent> undo(std::uint64_t generation, const std::string& actor,
                               const std::stop_token& stop = {});
  struct TrashSelection {
    std::uint64_t generation = 0;               // 0: all
    std::string name_space;                     // empty: of all
    std::optional<UnixSeconds> removed_before;  // nothing: whenever
    std::optional<std::uint64_t> enough;        // bytes freed, after which it ends
    std::string actor = "larderd";              // for the ledger, like `why`
    std::string why;
  };
  // For good. A line in the ledger for each generation that something went of.
  Result<api::TrashEvent> empty_trash(const TrashSelection& selection, const std::stop_token& stop);

  // Snapshots: everything, or what is asked for, by name and for good. Read like namespaces, as
  // "@name/namespace". Errc::exists, Errc::invalid_name, Errc::not_found (a namespace).
  // Errc::cancelled: stopped, and there is none.
  Result<api::SnapshotStat> create_snapshot(const api::SnapshotRequest& request, const std::string& actor,
                                            const std::stop_token& stop = {});
  std::vector<api::SnapshotStat> snapshots() const;
  bool has_snapshot(std::string_view name) const;  // never waits for the disk
  // The namespaces it has something of, in the configuration's order. Never waits for the disk.
  std::vector<std::string> spaces_of_snapshot(std::string_view name) const;
  // It is a miss at once; clear_snapshots() frees what it took.
  Result<api::SnapshotStat> remove_snapshot(const std::string& name, const std::string& actor);
  // Clears away what was removed, and what a crash left of one that was being made. Takes its time.
  Result<void> clear_snapshots(const std::stop_token& stop);
  // Leaves of these hashes those that no name of shared state has, in a namespace or a snapshot. Walks over
  // all names. Errc::cancelled.
  Result<void> drop_stored(std::unordered_set<std::string>& hashes, const std::stop_token& stop) const;
  // Errc::cancelled: stopped between two batches; again, it goes on.
  Result<api::RestoreResult> restore_snapshot(const std::string& name, const std::string& actor,
                                              const std::stop_token& stop = {});

  // A line about `what`, which changes no name.
  Result<void> tell_ledger(LedgerAction action, const std::string& what, const std::string& actor);

  std::vector<std::string> pins() const;
  Result<std::size_t> pin(const std::vector<std::string>& lines, const std::string& actor);
  Result<std::size_t> unpin(const std::vector<std::string>& lines, const std::string& actor);

  // Upkeep ------------------------------------------------------------------

  bool reconciled() const;  // index and tree are known to agree
  struct ReconcileReport {
    std::uint64_t names = 0;       // in the tree
    std::uint64_t found = 0;       // entered into the index
    std::uint64_t vanished = 0;    // dropped from it
    std::uint64_t unreadable = 0;  // files and directories of the tree that could not be read
    std::uint64_t orphans = 0;     // objects without a name, removed
    std::uint64_t damaged = 0;     // names whose bytes are not what was stored, quarantined
  };
  // Compares the tree with the index after an unclean stop, at low priority.
  Result<ReconcileReport> reconcile(std::stop_token stop);
  // Checks what is stored against what was stored, see scrub.hpp. Calls `report` for every defect, with
  // counts now and then, and at the end. Whatever of it is corrupt is out of the namespaces when this is
  // told, repair or not. Errc::busy while tree and index are being compared.
  Result<api::VerifyEvent> scrub(const ScrubOptions& options, const ScrubState::Ticket& turn,
                                 const std::function<void(const api::VerifyEvent&)>& report,
                                 std::stop_token stop);
  Result<ScrubState::Ticket> enter_scrub(ScrubState::Who who);    // Errc::busy while another one goes on
  Result<ScrubCursor> scrub_cursor(std::string_view name) const;  // all 0 when there was none
  Result<void> flush_recency();
  bool recency_is_pressing() const;    // so much has gathered that it should be flushed now
  std::uint64_t uses_dropped() const;  // since the start, because flushes could not keep up
  // Index::load_names(), for those who want look-ups fast; they are right without it.
  Result<void> load_names(ByteSize limit, const std::stop_token& stop);
  std::uint64_t bytes_of_names() const;

  // Objects, bytes and disk; what a process knows of itself is left to others.
  Result<api::Stat> totals();
  const std::vector<NamespaceConfig>& namespaces() const;
  const NamespaceConfig* find_namespace(std::string_view name) const;
  std::uint64_t reserved_bytes() const;
  std::uint64_t physical_bytes(std::string_view name_space) const;  // of the contents counted for it
  std::uint64_t objects(std::string_view name_space) const;         // so many these are
  Result<DiskSpace> disk_space() const;
  Result<void> keep_reserve();                              // see reserve.hpp
  Quota::Room take_refused(const std::string& name_space);  // Quota::take_refused()
  Result<std::optional<RecencyRecord>> recency(const ArtifactKey& key) const;

 private:
  explicit Store(std::unique_ptr<StoreCore> core);

  // The bytes that `record` tells of, or Errc::not_found.
  Result<std::unique_ptr<File>> open_content(const ArtifactKey& key, const NameRecord& record);

  template <typename Chooser>
  Result<api::SnapshotStat::Space> fill_snapshot(const std::string& snapshot, const std::string& name_space,
                                                 Chooser& chooser, const std::stop_token& stop);
  bool is_there(std::string_view space) const;
  api::SnapshotStat stat_of_snapshot(const std::string& name) const;
  Result<void> drop_snapshot_rows(const std::string& name);
  Result<void> clear_snapshot(const std::string& name, const std::stop_token& stop);

  std::unique_ptr<StoreCore> core_;
};

}  // namespace larder
