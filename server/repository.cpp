#include "server/repository.hpp"

#include <algorithm>
#include <deque>

#include "server/store/posix_file_system.hpp"

namespace larder {

namespace {

// Of threads that store what came together, so that others are left for those who read.
BatchQueue<const std::span<SmallUpload>>::Limits few_threads() {
  BatchQueue<const std::span<SmallUpload>>::Limits limits;
  limits.runners = 4;
  limits.crowd = 1;
  limits.most = 1;
  return limits;
}

}  // namespace

Repository::Repository(Store& store, DiskPool& pool, DiskPool& jobs)
    : store_(store),
      pool_(pool),
      jobs_(jobs),
      small_uploads_(pool, {}, [this](std::span<SmallUpload* const> uploads) { store_now(uploads); }),
      upload_batches_(pool, few_threads(), [this](auto batches) { store_batches_now(batches); }) {
  for (const NamespaceConfig& each : store.namespaces())
    activities_.emplace(each.name, std::make_unique<Activity>());
  activities_.emplace("", std::make_unique<Activity>());  // requests for namespaces that are not there
}

Result<void> Repository::job_error() const {
  const std::size_t most = jobs_.size();
  if (stop_jobs_.stop_requested()) return Error(Errc::busy, "the server is stopping");
  if (jobs_.pending() >= most)
    return Error(Errc::busy,
                 std::to_string(most) +
                     " long jobs (prunes, snapshots, checks, checkouts …) are running already; try again "
                     "when one of them is done");
  return {};
}

// A read of a snapshot counts for its namespace.
Activity& Repository::activity(std::string_view space) const {
  const auto found = activities_.find(namespace_of(space));
  return found == activities_.end() ? *activities_.find("")->second : *found->second;
}

std::optional<ArtifactKey> Repository::fallback(KeyView key) const {
  const std::string_view path = key.path();
  if (std::count(path.begin(), path.end(), '/') != 1) return std::nullopt;
  const NamespaceConfig* const name_space = store_.find_namespace(key.name_space());
  if (name_space == nullptr || name_space->kind != NamespaceKind::downloads) return std::nullopt;
  auto flat = ArtifactKey::make(key.name_space(), key.file_name());
  if (!flat) return std::nullopt;
  return std::move(*flat);
}

std::string Repository::overlaid_space(std::string_view space) const {
  const NamespaceConfig* const lane = store_.find_namespace(space);
  if (lane == nullptr || lane->overlay.empty()) return {};
  const std::string_view snapshot = snapshot_of(space);  // of a snapshot's lane: as that was frozen with it
  return snapshot.empty() ? lane->overlay : "@" + std::string(snapshot) + "/" + lane->overlay;
}

// One level: what a lane overlays is no lane, so that this ends.
std::optional<ArtifactKey> Repository::overlaid(KeyView key) const {
  const std::string space = overlaid_space(key.name_space());
  if (space.empty()) return std::nullopt;
  auto below = ArtifactKey::make(space, key.path());
  if (!below) return std::nullopt;
  return std::move(*below);
}

Found Repository::peek(KeyView key, Entry& entry) const {
  Found found = store_.peek(key, entry);
  if (found != Found::miss) return found;
  const auto other = fallback(key);
  if (other) found = store_.peek(*other, entry);
  if (found != Index::Found::miss) return found;
  const auto below = overlaid(key);
  return below ? peek(*below, entry) : found;
}

Found Repository::check_now(KeyView key, Access access, Entry& entry) {
  Found found = store_.check(key, access, entry);
  if (found != Found::miss) return found;
  const auto other = fallback(key);
  if (other) found = store_.check(*other, access, entry);
  if (found != Found::miss) return found;
  const auto below = overlaid(key);
  return below ? check_now(*below, access, entry) : found;
}

Found Repository::check(KeyView key, Access access, Entry& entry) {
  const Found found = check_now(key, access, entry);
  if (found == Found::hit) activity(key.name_space()).hits.add();
  return found;
}

bool Repository::ready_content(const Entry& entry, OpenArtifact& artifact) {
  return store_.ready_content(entry, artifact);
}

Result<Entry> Repository::stat_now(const ArtifactKey& key) {
  auto entry = store_.stat(key);
  if (entry || entry.error().code() != Errc::not_found) return entry;
  const auto other = fallback(key);
  if (other) entry = store_.stat(*other);
  if (entry || entry.error().code() != Errc::not_found) return entry;
  const auto below = overlaid(key);
  return below ? stat_now(*below) : std::move(entry);
}

Result<OpenArtifact> Repository::open_now(const ArtifactKey& key) {
  auto artifact = store_.open_artifact(key);
  if (artifact || artifact.error().code() != Errc::not_found) return artifact;
  const auto other = fallback(key);
  if (other) artifact = store_.open_artifact(*other);
  if (artifact || artifact.error().code() != Errc::not_found) return artifact;
  const auto below = overlaid(key);
  return below ? open_now(*below) : std::move(artifact);
}

Task<Result<Entry>> Repository::stat(const ArtifactKey& key) {
  return pool_.run(&Repository::stat_now, this, key);
}

Task<Result<OpenArtifact>> Repository::open(const ArtifactKey& key) {
  return pool_.run(&Repository::open_now, this, key);
}

void Repository::count_hit(KeyView key, Access access) {
  activity(key.name_space()).hits.add();
  note(key, access);
}

// Whichever of the two names it was that is there: a prune must not take it for unused.
void Repository::note(KeyView key, Access access) {
  const auto below = overlaid(key);
  Entry ignored;
  // What a lane was asked for and has not is what it overlays that was used.
  const Found own = below ? store_.peek(key, ignored) : Found::hit;
  if (below && own != Found::hit) note(*below, access);
  if (below && own == Found::miss) return;
  store_.note(key, access);
  const auto other = fallback(key);
  if (other) store_.note(*other, access);
}

void Repository::count_miss(KeyView key) {
  activity(key.name_space()).misses.add();
}

void Repository::count_sent(KeyView key, std::uint64_t bytes) {
  activity(key.name_space()).bytes_sent.add(bytes);
}

Task<Result<Store::DirectoryPage>> Repository::list_directory(std::string name_space, std::string path,
                                                              std::string after, std::size_t limit) {
  return pool_.run(&Repository::list_directory_now, this, std::move(name_space), std::move(path),
                   std::move(after), limit);
}

// What is only in the namespace that a lane overlays can be entered, and so has a listing: an empty one.
Result<Store::DirectoryPage> Repository::list_directory_now(const std::string& name_space,
                                                            const std::string& path, const std::string& after,
                                                            std::size_t limit) {
  auto own = store_.list_directory(name_space, path, after, limit);
  if (own || own.error().code() != Errc::not_found) return own;
  const std::string below = overlaid_space(name_space);
  if (below.empty()) return own;
  LARDER_TRY_ASSIGN(const bool there, store_.is_directory(below, path));
  if (there) return Store::DirectoryPage();
  return own;
}

Task<Result<bool>> Repository::is_directory(std::string name_space, std::string path) {
  return pool_.run(&Repository::is_directory_now, this, std::move(name_space), std::move(path));
}

Result<bool> Repository::is_directory_now(const std::string& name_space, const std::string& path) {
  const auto own = store_.is_directory(name_space, path);
  if (!own || *own) return own;
  const std::string below = overlaid_space(name_space);
  return below.empty() ? own : store_.is_directory(below, path);
}

Index::Found Repository::peek_directory(std::string_view name_space, std::string_view path) const {
  const Index::Found own = store_.peek_directory(name_space, path);
  if (own != Index::Found::miss) return own;
  const std::string below = overlaid_space(name_space);
  return below.empty() ? own : store_.peek_directory(below, path);
}

Task<Result<Store::NamePage>> Repository::list_names(std::string name_space, std::string after,
                                                     std::size_t limit) {
  return pool_.run(&Store::list_names, &store_, std::move(name_space), std::move(after), limit);
}

Task<Result<Store::ChangePage>> Repository::changes(std::string name_space, std::uint64_t since,
                                                    std::size_t limit) {
  return pool_.run(&Store::changes, &store_, std::move(name_space), since, limit);
}

Task<Result<Store::DigestPage>> Repository::list_digests(std::string name_space, std::string after,
                                                         std::size_t limit) {
  return pool_.run(&Store::list_digests, &store_, std::move(name_space), std::move(after), limit);
}

Task<Result<Store::LedgerPage>> Repository::ledger(LedgerQuery query, std::uint64_t below,
                                                   std::size_t limit) {
  return pool_.run(&Store::ledger, &store_, std::move(query), below, limit);
}

Task<Result<std::vector<bool>>> Repository::find_missing(std::string name_space,
                                                         std::span<const WantedName> wanted) {
  return pool_.run(&Repository::find_missing_now, this, std::move(name_space), wanted);
}

Result<std::vector<bool>> Repository::find_missing_now(const std::string& name_space,
                                                       std::span<const WantedName> wanted) {
  LARDER_TRY_ASSIGN(std::vector<bool> missing, store_.find_missing(name_space, wanted));
  const std::string below = overlaid_space(name_space);
  if (below.empty()) return missing;
  std::vector<WantedName> rest;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (missing[i]) rest.push_back(wanted[i]);
  }
  LARDER_TRY_ASSIGN(const std::vector<bool> still, store_.find_missing(below, rest));
  std::size_t next = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (missing[i]) missing[i] = still[next++];
  }
  return missing;
}

Result<UploadStart> Repository::begin_upload_now(const ArtifactKey& key, UploadRequest request) {
  auto start = store_.begin_upload(key, std::move(request));
  if (!start) activity(key.name_space()).rejects.add();
  if (start && start->settled) count_receipt(key, *start->settled);
  return start;
}

Task<Result<UploadStart>> Repository::begin_upload(const ArtifactKey& key, UploadRequest request) {
  return pool_.run(&Repository::begin_upload_now, this, key, std::move(request));
}

void Repository::count_receipt(const ArtifactKey& key, const Receipt& receipt) {
  Activity& counters = activity(key.name_space());
  switch (receipt.outcome) {
    case Receipt::Outcome::created:
    case Receipt::Outcome::replaced: counters.uploads.add(); break;
    case Receipt::Outcome::present: counters.duplicates.add(); break;
    case Receipt::Outcome::conflict: counters.rejects.add(); break;
  }
}

Task<Result<void>> Repository::append(Upload& upload, std::span<const std::byte> bytes) {
  activity(upload.key().name_space()).bytes_received.add(bytes.size());
  return pool_.run(&Upload::append, &upload, bytes);
}

Result<Receipt> Repository::commit_now(Upload& upload) {
  auto receipt = upload.commit();
  if (receipt) count_receipt(upload.key(), *receipt);
  if (!receipt) activity(upload.key().name_space()).rejects.add();
  return receipt;
}

Task<Result<Receipt>> Repository::commit(Upload& upload) {
  return pool_.run(&Repository::commit_now, this, std::ref(upload));
}

void Repository::store_now(std::span<SmallUpload* const> uploads) {
  store_.store_small(uploads);
  for (const SmallUpload* each : uploads) {
    const Result<Receipt>& outcome = *each->outcome;
    if (outcome) count_receipt(*each->key, *outcome);
    if (!outcome) activity(each->key->name_space()).rejects.add();
  }
}

Task<Result<Receipt>> Repository::store(const ArtifactKey& key, UploadRequest request,
                                        std::span<const std::byte> bytes) {
  activity(key.name_space()).bytes_received.add(bytes.size());
  SmallUpload upload;
  upload.key = &key;
  upload.request = std::move(request);
  upload.bytes = bytes;
  co_await small_uploads_.run(upload);
  co_return std::move(*upload.outcome);
}

Task<void> Repository::store_all(std::span<SmallUpload> uploads) {
  for (const SmallUpload& each : uploads)
    activity(each.key->name_space()).bytes_received.add(each.bytes.size());
  const std::span<SmallUpload> all = uploads;
  co_await upload_batches_.run(all);
}

void Repository::store_batches_now(std::span<const std::span<SmallUpload>* const> batches) {
  constexpr std::size_t k_step = 64;  // that hold their locks together
  std::vector<SmallUpload*> some;
  const auto store_some = [&] {
    if (!some.empty()) store_now(some);
    some.clear();
  };
  for (const std::span<SmallUpload>* each : batches) {
    for (SmallUpload& upload : *each) {
      some.push_back(&upload);
      if (some.size() == k_step) store_some();
    }
  }
  store_some();
}

void Repository::release(std::unique_ptr<Upload> upload) {
  if (!upload) return;
  pool_.post([shared = std::shared_ptr<Upload>(std::move(upload))]() mutable { shared.reset(); });
}

Task<Result<Entry>> Repository::remove(const ArtifactKey& key, std::string actor, std::string why) {
  const auto entry = co_await pool_.run(&Store::remove, &store_, key, std::move(actor), std::move(why));
  if (entry) activity(key.name_space()).removals.add();
  co_return entry;
}

Task<Result<Receipt>> Repository::rename(const ArtifactKey& from, const ArtifactKey& to, std::string actor,
                                         Store::Replace replace) {
  const auto receipt = co_await pool_.run(&Store::rename, &store_, from, to, std::move(actor), replace);
  if (receipt) count_receipt(to, *receipt);
  co_return receipt;
}

void Repository::adopt(std::string directory, Store::AdoptOptions options,
                       std::function<void(const api::AdoptEvent&)> report, AdoptDone done,
                       std::stop_token stop) {
  jobs_.post([=, &store = store_] {
    const auto source = PosixFileSystem::open_root(directory);
    done(source ? store.adopt(**source, options, report, stop) : source.error());
  });
}

void Repository::prune(api::PruneRules rules, Store::PrunePolicy policy, std::string actor,
                       Store::PruneReport report, PruneDone done, std::stop_token stop) {
  jobs_.post([=, &store = store_] {
    // By a size: of what the namespace has names of.
    const auto settled = rules.max_size ? store.settle_charges(stop) : Result<std::uint64_t>(0);
    // A full disk takes no figures, and is what a prune is for.
    const bool stopped = !settled && settled.error().code() == Errc::cancelled;
    done(stopped ? settled.error() : store.prune(rules, policy, actor, report, stop));
  });
}

void Repository::promote(Store::PromoteOptions options, Store::PromoteReport report, PromoteDone done,
                         std::stop_token stop) {
  jobs_.post([=, &store = store_] { done(store.promote(options, report, stop)); });
}

Task<void> Repository::tell_ledger(LedgerAction action, std::string what, std::string actor) {
  (void)co_await pool_.run(&Store::tell_ledger, &store_, action, std::move(what), std::move(actor));
}

Result<std::vector<api::TrashGeneration>> Repository::list_trash_now(std::size_t limit) {
  std::deque<api::TrashGeneration> newest;
  LARDER_TRY(store_.list_trash([&](const api::TrashGeneration& each) {
    newest.push_front(each);
    if (newest.size() > limit) newest.pop_back();
    return true;
  }));
  return std::vector<api::TrashGeneration>(newest.begin(), newest.end());
}

Task<Result<std::vector<api::TrashGeneration>>> Repository::list_trash(std::size_t limit) {
  return pool_.run(&Repository::list_trash_now, this, limit);
}

Task<Result<api::TrashEvent>> Repository::undo(std::uint64_t generation, std::string actor) {
  const auto room = job_error();
  if (!room) co_return room.error();
  std::stop_token stop = stop_jobs_.get_token();
  co_return co_await jobs_.run(&Store::undo, &store_, generation, std::move(actor), std::move(stop));
}

Result<api::TrashEvent> Repository::empty_trash_now(std::uint64_t generation, const std::string& actor) {
  Store::TrashSelection selection;
  selection.generation = generation;
  selection.actor = actor;
  selection.why = "by hand";
  return store_.empty_trash(selection, stop_jobs_.get_token());
}

Task<Result<api::TrashEvent>> Repository::empty_trash(std::uint64_t generation, std::string actor) {
  const auto room = job_error();
  if (!room) co_return room.error();
  co_return co_await jobs_.run(&Repository::empty_trash_now, this, generation, std::move(actor));
}

Task<Result<api::SnapshotStat>> Repository::create_snapshot(api::SnapshotRequest request, std::string actor) {
  const auto room = job_error();
  if (!room) co_return room.error();
  std::stop_token stop = stop_jobs_.get_token();
  co_return co_await jobs_.run(&Store::create_snapshot, &store_, std::move(request), std::move(actor),
                               std::move(stop));
}

Task<std::vector<api::SnapshotStat>> Repository::snapshots() {
  return pool_.run(&Store::snapshots, &store_);
}

Task<Result<api::SnapshotStat>> Repository::remove_snapshot(std::string name, std::string actor) {
  return pool_.run(&Store::remove_snapshot, &store_, std::move(name), std::move(actor));
}

Task<Result<api::RestoreResult>> Repository::restore_snapshot(std::string name, std::string actor) {
  const auto room = job_error();
  if (!room) co_return room.error();
  std::stop_token stop = stop_jobs_.get_token();
  co_return co_await jobs_.run(&Store::restore_snapshot, &store_, std::move(name), std::move(actor),
                               std::move(stop));
}

Task<std::vector<std::string>> Repository::pins() {
  return pool_.run(&Store::pins, &store_);
}

Task<Result<std::size_t>> Repository::pin(std::vector<std::string> lines, std::string actor) {
  return pool_.run(&Store::pin, &store_, std::move(lines), std::move(actor));
}

Task<Result<std::size_t>> Repository::unpin(std::vector<std::string> lines, std::string actor) {
  return pool_.run(&Store::unpin, &store_, std::move(lines), std::move(actor));
}

void Repository::scrub(ScrubOptions options, ScrubState::Ticket turn,
                       std::function<void(const api::VerifyEvent&)> report, ScrubDone done,
                       std::stop_token stop) {
  // The turn ends before the answer does: who has read it may ask again.
  jobs_.post([=, &store = store_]() mutable {
    const auto outcome = store.scrub(options, turn, report, stop);
    turn.reset();
    done(outcome);
  });
}

void Repository::checkout(std::string directory, CheckoutOptions options,
                          std::function<void(const api::CheckoutEvent&)> report, CheckoutDone done,
                          std::stop_token stop) {
  jobs_.post([=, &store = store_] {
    std::error_code failure;
    std::filesystem::create_directory(directory, failure);
    if (failure) return done(posix_error("make directory", directory, failure.value()));
    const auto view = PosixFileSystem::open_root(directory);
    done(view ? store.checkout(**view, options, report, stop) : view.error());
  });
}

Result<api::Stat> Repository::stat_all_now() {
  LARDER_TRY_ASSIGN(api::Stat stat, store_.totals());
  for (api::NamespaceStat& row : stat.namespaces) {
    const Activity& counters = activity(row.name);
    row.hits = counters.hits.read();
    row.misses = counters.misses.read();
    row.uploads = counters.uploads.read();
    row.duplicates = counters.duplicates.read();
    row.rejects = counters.rejects.read();
    row.removals = counters.removals.read();
    row.bytes_sent = counters.bytes_sent.read();
    row.bytes_received = counters.bytes_received.read();
  }
  return stat;
}

Task<Result<api::Stat>> Repository::stat_all() {
  return pool_.run(&Repository::stat_all_now, this);
}

}  // namespace larder
