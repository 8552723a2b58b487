// The async face of the store that every front end uses, and nothing else of it.
// Calls that may wait for the disk are coroutines that wait in the DiskPool; what may
// take minutes has a pool of its own, so that requests never wait behind it, and a
// bound: see job_error().
// peek() answers from memory on the caller's loop. Everything is counted here,
// so that all front ends count alike.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/api.hpp"
#include "server/activity.hpp"
#include "server/runtime/batch_queue.hpp"
#include "server/runtime/disk_pool.hpp"
#include "server/store/store.hpp"

namespace larder {

class Repository {
 public:
  Repository(Store& store, DiskPool& pool, DiskPool& jobs);

  // Long jobs: adopting, checks, checkouts, prunes, undo, emptying the trash, snapshots. Errc::busy when so
  // many wait or run that another one is refused. They end between two steps after stop_jobs().
  Result<void> job_error() const;
  void stop_jobs() { stop_jobs_.request_stop(); }

  // Reading -----------------------------------------------------------------

  // From memory or not at all. Where a namespace of kind downloads has no
  // "<package>/<file>", its "<file>" answers, as Buildroot's layout wants it; where a
  // lane has nothing, what it overlays does.
  Found peek(KeyView key, Entry& entry) const;
  // The same for who answers at once: a hit is counted, and noted before it can be answered.
  Found check(KeyView key, Access access, Entry& entry);
  // The content of what check() found, where it is at hand: nothing is waited for.
  bool ready_content(const Entry& entry, OpenArtifact& artifact);
  Task<Result<Entry>> stat(const ArtifactKey& key);
  Task<Result<OpenArtifact>> open(const ArtifactKey& key);

  // What a front end has to say of an answer, for the counters and for recency.
  void count_hit(KeyView key, Access access);
  void count_miss(KeyView key);
  // For a front end that learns only later that what it sent was read. Counts nothing.
  void note_used(KeyView key) { note(key, Access::used); }
  void count_sent(KeyView key, std::uint64_t bytes);

  Task<Result<Store::DirectoryPage>> list_directory(std::string name_space, std::string path,
                                                    std::string after, std::size_t limit);
  Task<Result<bool>> is_directory(std::string name_space, std::string path);
  Index::Found peek_directory(std::string_view name_space, std::string_view path) const;  // from memory
  Task<Result<Store::NamePage>> list_names(std::string name_space, std::string after, std::size_t limit);
  Task<Result<Store::ChangePage>> changes(std::string name_space, std::uint64_t since, std::size_t limit);
  Task<Result<Store::DigestPage>> list_digests(std::string name_space, std::string after, std::size_t limit);
  Task<Result<Store::LedgerPage>> ledger(LedgerQuery query, std::uint64_t below, std::size_t limit);
  Task<Result<std::vector<bool>>> find_missing(std::string name_space, std::span<const WantedName> wanted);

  // Writing -----------------------------------------------------------------

  Task<Result<UploadStart>> begin_upload(const ArtifactKey& key, UploadRequest request);
  Task<Result<void>> append(Upload& upload, std::span<const std::byte> bytes);
  Task<Result<Receipt>> commit(Upload& upload);
  // All of it at once, for what is small: one way to the pool and back. `bytes` stay until then.
  Task<Result<Receipt>> store(const ArtifactKey& key, UploadRequest request,
                              std::span<const std::byte> bytes);
  // The same for several, which need not be told apart by their keys; each has its outcome then.
  Task<void> store_all(std::span<SmallUpload> uploads);
  // Drops an upload (or what commit left of it) without making the caller wait.
  void release(std::unique_ptr<Upload> upload);
  Task<Result<Entry>> remove(const ArtifactKey& key, std::string actor, std::string why);
  Task<Result<Receipt>> rename(const ArtifactKey& from, const ArtifactKey& to, std::string actor,
                               Store::Replace replace);

  // Starts adopting as a job and returns. `report` and `done` are called there. Ask job_error() before.
  using AdoptDone = std::function<void(Result<api::AdoptEvent>)>;
  void adopt(std::string directory, Store::AdoptOptions options,
             std::function<void(const api::AdoptEvent&)> report, AdoptDone done, std::stop_token stop);

  // Starts a check as a job and returns. `report` and `done` are called there. Whose turn it is, is
  // known before: Errc::busy while another one goes on.
  Result<ScrubState::Ticket> enter_scrub() { return store_.enter_scrub(ScrubState::Who::person); }
  using ScrubDone = std::function<void(Result<api::VerifyEvent>)>;
  void scrub(ScrubOptions options, ScrubState::Ticket turn,
             std::function<void(const api::VerifyEvent&)> report, ScrubDone done, std::stop_token stop);

  // Pruning -----------------------------------------------------------------

  // As adopt(): a job, `report` and `done` are called there.
  using PruneDone = std::function<void(Result<api::PruneEvent>)>;
  void prune(api::PruneRules rules, Store::PrunePolicy policy, std::string actor, Store::PruneReport report,
             PruneDone done, std::stop_token stop);
  Task<Result<std::vector<api::TrashGeneration>>> list_trash(std::size_t limit);  // newest first
  Task<Result<api::TrashEvent>> undo(std::uint64_t generation, std::string actor);
  Task<Result<api::TrashEvent>> empty_trash(std::uint64_t generation, std::string actor);  // 0: all
  Task<Result<api::SnapshotStat>> create_snapshot(api::SnapshotRequest request, std::string actor);
  Task<std::vector<api::SnapshotStat>> snapshots();
  bool has_snapshot(std::string_view name) const { return store_.has_snapshot(name); }
  std::vector<std::string> spaces_of_snapshot(std::string_view name) const {
    return store_.spaces_of_snapshot(name);
  }
  Task<Result<api::SnapshotStat>> remove_snapshot(std::string name, std::string actor);
  Task<Result<api::RestoreResult>> restore_snapshot(std::string name, std::string actor);
  Task<std::vector<std::string>> pins();
  Task<Result<std::size_t>> pin(std::vector<std::string> lines, std::string actor);
  Task<Result<std::size_t>> unpin(std::vector<std::string> lines, std::string actor);
  // Of what changes no name; that it could not be written is not worth a failure.
  Task<void> tell_ledger(LedgerAction action, std::string what, std::string actor);
  // As prune().
  using PromoteDone = std::function<void(Result<api::PromoteEvent>)>;
  void promote(Store::PromoteOptions options, Store::PromoteReport report, PromoteDone done,
               std::stop_token stop);
  // Likewise a checkout. Makes the directory when it is absent.
  using CheckoutDone = std::function<void(Result<api::CheckoutEvent>)>;
  void checkout(std::string directory, CheckoutOptions options,
                std::function<void(const api::CheckoutEvent&)> report, CheckoutDone done,
                std::stop_token stop);

  // The rest ----------------------------------------------------------------

  Task<Result<api::Stat>> stat_all();  // counters included
  std::uint64_t generation() const { return store_.generation(); }
  std::uint64_t list_generation() const { return store_.list_generation(); }
  std::optional<std::uint64_t> generation_of(std::uint64_t list_generation) const {
    return store_.generation_of(list_generation);
  }
  const NamespaceConfig* find_namespace(std::string_view name) const { return store_.find_namespace(name); }
  const std::vector<NamespaceConfig>& namespaces() const { return store_.namespaces(); }
  DiskPool& pool() { return pool_; }

 private:
  Activity& activity(std::string_view space) const;
  std::optional<ArtifactKey> fallback(KeyView key) const;
  std::string overlaid_space(std::string_view space) const;  // empty: it is no lane
  std::optional<ArtifactKey> overlaid(KeyView key) const;
  Result<Store::DirectoryPage> list_directory_now(const std::string& name_space, const std::string& path,
                                                  const std::string& after, std::size_t limit);
  Result<std::vector<bool>> find_missing_now(const std::string& name_space,
                                             std::span<const WantedName> wanted);
  Result<bool> is_directory_now(const std::string& name_space, const std::string& path);
  void note(KeyView key, Access access);
  Found check_now(KeyView key, Access access, Entry& entry);
  Result<Entry> stat_now(const ArtifactKey& key);
  Result<OpenArtifact> open_now(const ArtifactKey& key);
  Result<api::Stat> stat_all_now();
  Result<std::vector<api::TrashGeneration>> list_trash_now(std::size_t limit);
  Result<api::TrashEvent> empty_trash_now(std::uint64_t generation, const std::string& actor);
  void store_now(std::span<SmallUpload* const> uploads);
  void store_batches_now(std::span<const std::span<SmallUpload>* const> batches);
  Result<Receipt> commit_now(Upload& upload);
  Result<UploadStart> begin_upload_now(const ArtifactKey& key, UploadRequest request);
  void count_receipt(const ArtifactKey& key, const Receipt& receipt);

  Store& store_;
  DiskPool& pool_;
  DiskPool& jobs_;
  BatchQueue<SmallUpload> small_uploads_;
  BatchQueue<const std::span<SmallUpload>> upload_batches_;  // those that came in one request
  std::stop_source stop_jobs_;
  std::map<std::string, std::unique_ptr<Activity>, std::less<>> activities_;  // fixed once made
};

}  // namespace larder
