#include "server/store/store.hpp"

#include "server/store/layout.hpp"
#include "server/store/reserve.hpp"

namespace larder {
namespace {

enum class Layout { found, made };

// What a data directory is made of. A directory with other content is somebody else's.
Result<Layout> prepare_layout(FileSystem& disk, const std::filesystem::path& data) {
  const auto format = disk.open(layout::k_format);
  if (format) {
    std::string line(64, '\0');
    LARDER_TRY_ASSIGN(const std::size_t length,
                      (*format)->read_at(0, std::as_writable_bytes(std::span(line))));
    line.resize(length);
    if (line != layout::k_format_line)
      return Error(Errc::not_supported, "the data directory " + data.string() +
                                            " has a format this larderd does not know: " + line);
  } else {
    if (format.error().code() != Errc::not_found) return format.error();
    std::string stranger;
    LARDER_TRY(disk.list("", [&](const DirectoryEntry& entry) {
      if (entry.name != "lost+found" && entry.name != layout::k_index && entry.name != layout::k_access &&
          entry.name != layout::k_format + ".new")
        stranger = entry.name;
      return stranger.empty();
    }));
    if (!stranger.empty())
      return Error(Errc::conflict, "the data directory " + data.string() + " holds '" + stranger +
                                       "', which is not larder's; give an empty directory, or take one in "
                                       "with 'larderd adopt'");
  }
  for (const std::string& directory :
       {layout::k_tree, layout::k_objects, layout::k_snapshots, layout::k_trash, layout::k_quarantine,
        layout::k_staging, layout::k_journal})
    LARDER_TRY(make_directories(disk, directory));
  if (format) return Layout::found;

  const std::string fresh = layout::k_format + ".new";
  (void)disk.remove(fresh);
  LARDER_TRY_ASSIGN(const auto file, disk.create(fresh));
  LARDER_TRY(file->append(std::as_bytes(std::span(layout::k_format_line))));
  LARDER_TRY(file->sync());
  LARDER_TRY(disk.replace(fresh, layout::k_format));
  LARDER_TRY(disk.sync_directory(""));
  return Layout::made;
}

// Uploads that a crash cut off.
Result<void> empty_staging(FileSystem& disk) {
  std::vector<std::string> leftovers;
  LARDER_TRY(disk.list(layout::k_staging, [&](const DirectoryEntry& entry) {
    if (entry.type != FileType::directory) leftovers.push_back(layout::k_staging + "/" + entry.name);
    return true;
  }));
  for (const std::string& leftover : leftovers) LARDER_TRY(disk.remove(leftover));
  return {};
}

constexpr unsigned k_sequence_bits = 40;  // and 23 of the history: 63, for who has no unsigned numbers

// "ns/" or "ns/a/b/": what the keys below a directory start with.
std::string directory_prefix(std::string_view name_space, std::string_view path) {
  std::string prefix(name_space);
  prefix += '/';
  if (!path.empty()) prefix.append(path).append("/");
  return prefix;
}

}  // namespace

Store::Store(std::unique_ptr<StoreCore> core) : core_(std::move(core)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(FileSystem& disk, const std::filesystem::path& data,
                                           const Clock& clock, StoreOptions options, ByteSize index_cache) {
  LARDER_TRY_ASSIGN(const Layout directory, prepare_layout(disk, data));
  (void)give_up_reserve(disk, data / layout::k_index);  // there may be room without
  // First of all the index: its lock keeps a second daemon from emptying our tmp/.
  LARDER_TRY_ASSIGN(auto index, Index::open(data / layout::k_index, index_cache, options.index_medium));
  LARDER_TRY(empty_staging(disk));
  // An empty index of an empty tree says all there is to say.
  const bool nothing_yet = directory == Layout::made && index->last_sequence() == 0;
  auto core = std::make_unique<StoreCore>(disk, clock, std::move(index), std::move(options));
  const bool complete = nothing_yet || core->is_index_complete();
  LARDER_TRY(core->objects.probe_links());
  LARDER_TRY(core->pins.load());
  LARDER_TRY(core->learn_generations());
  LARDER_TRY(core->learn_snapshots());
  core->index_complete = complete;
  if (complete)
    core->index->trust(core->namespace_names());
  else
    core->index->distrust();
  LARDER_TRY(core->replay_journal());
  LARDER_TRY_ASSIGN(const auto checked, core->index->note(k_background_cursor));
  core->scrubbing.show(decode_cursor(checked.value_or(std::string())).value_or(ScrubCursor()));
  return std::unique_ptr<Store>(new Store(std::move(core)));
}

Result<void> Store::close() {
  LARDER_TRY(flush_recency());
  if (core_->journal) (void)core_->journal->settle_all();  // what it keeps is placed again at the next start
  // Closed as clean the index says what the tree has; removals in bulk are not synced by themselves.
  const Result<void> synced = core_->disk.sync_all();
  if (!synced) core_->index->distrust();
  LARDER_TRY(core_->index->close());
  return synced;
}

// Rows of a snapshot are written before it is there, and outlive it for a moment.
bool Store::is_there(std::string_view space) const {
  return !space.starts_with('@') || core_->snapshots.holds(snapshot_of(space));
}

Found Store::peek(KeyView key, Entry& entry) const {
  if (!is_there(key.name_space())) return Found::miss;
  // In this order: what is found before the index was distrusted was true when this was asked.
  const Found found = core_->index->peek(key, entry);
  return core_->index_complete ? found : Found::unknown;
}

Found Store::check(KeyView key, Access access, Entry& entry) {
  if (!is_there(key.name_space())) return Found::miss;
  const NameHash hash = core_->index->hash_of(key);
  const Found found = core_->index->peek(key, hash, entry);
  if (!core_->index_complete) return Found::unknown;
  if (found == Found::hit) core_->recency.note(hash, key.str(), access, core_->clock.now());
  return found;
}

void Store::store_small(std::span<SmallUpload* const> uploads) {
  core_->store_small(uploads);
}

Result<void> Store::load_names(ByteSize limit, const std::stop_token& stop) {
  return core_->index->load_names(limit, stop);
}

std::uint64_t Store::bytes_of_names() const {
  return core_->index->bytes_of_names();
}

Result<Entry> Store::stat(const ArtifactKey& key) {
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> record, core_->find(key));
  if (!record) return Error(Errc::not_found, "there is no " + key.str());
  return to_entry(*record);
}

// The file with the bytes of `record`, as far as its row can tell.
Result<std::unique_ptr<File>> Store::open_content(const ArtifactKey& key, const NameRecord& record) {
  auto file = core_->disk.open(layout::tree_path(key));
  if (!file) {
    if (file.error().code() != Errc::not_found && file.error().code() != Errc::conflict) return file.error();
    LARDER_TRY(core_->drop_stale_row(key));
    return Error(Errc::not_found, "there is no " + key.str());
  }
  const NamespaceConfig* const name_space = core_->find_namespace(key.name_space());
  if (record.size == 0 || name_space == nullptr ||
      overwrite_rule(name_space->kind, key.path()) == OverwriteRule::write_once)
    return std::move(*file);
  // The name of a growing tarball leads to the new bytes before its row tells
  // of them; the object of the row stays until after that.
  auto object = core_->disk.open(layout::object_path(record.digest, 0));
  if (!object && object.error().code() == Errc::not_found)
    return std::move(*file);  // lost: the name has the bytes
  return object;
}

Result<OpenArtifact> Store::open_artifact(const ArtifactKey& key) {
  constexpr int k_tries = 16;  // another one whenever the name changed meanwhile
  for (int attempt = 0; attempt < k_tries; ++attempt) {
    LARDER_TRY_ASSIGN(const std::optional<NameRecord> record, core_->find(key));
    if (!record) return Error(Errc::not_found, "there is no " + key.str());
    const ContentCache::Moment before = core_->contents.moment(record->digest);
    LARDER_TRY_ASSIGN(auto file, open_content(key, *record));
    // A row that is the same before and after is that of the file in between.
    LARDER_TRY_ASSIGN(const std::optional<NameRecord> now, core_->index->name(key));
    if (now != record) continue;
    LARDER_TRY_ASSIGN(const FileStatus status, file->status());
    if (status.size == record->size) {
      OpenArtifact artifact{to_entry(*record), std::move(file), nullptr};
      LARDER_TRY(core_->contents.put(artifact, before, core_->clock.now()));
      return artifact;
    }
    LARDER_TRY(core_->set_aside(key, "its size is " + std::to_string(status.size) + " bytes, stored were " +
                                         std::to_string(record->size)));
    return Error(Errc::not_found, "there is no " + key.str() + " any more: its file was damaged");
  }
  return Error(Errc::busy, "cannot open " + key.str() + ": it keeps changing");
}

bool Store::ready_content(const Entry& entry, OpenArtifact& artifact) {
  artifact.entry = entry;
  return core_->contents.find(artifact, core_->clock.now());
}

void Store::note(KeyView key, Access access) {
  core_->note(key, access);
}

Result<Store::DirectoryPage> Store::list_directory(std::string_view name_space, std::string_view path,
                                                   std::string_view after, std::size_t limit) const {
  const std::string prefix = directory_prefix(name_space, path);
  if (!is_there(name_space)) return Error(Errc::not_found, "there is no directory " + prefix);
  DirectoryPage page;
  const auto visit = [&](std::string_view key, const NameRecord& record) {
    const std::string_view rest = key.substr(prefix.size());
    const auto slash = rest.find('/');
    Index::Step step;
    if (page.entries.size() == limit) {
      page.more = true;
      step.kind = Index::Step::Kind::stop;
      return step;
    }
    api::ListingEntry entry;
    entry.name = rest.substr(0, slash);
    page.next = entry.name;
    if (slash != std::string_view::npos) {
      entry.directory = true;
      step.kind = Index::Step::Kind::seek;  // past everything below it: '0' follows '/'
      step.where = prefix + entry.name + '0';
      page.next += "/\xff";  // no name has this byte: it is not UTF-8
    } else {
      entry.size = record.size;
      entry.stored = record.stored;
      entry.digest = record.digest.hex();
    }
    page.entries.push_back(std::move(entry));
    return step;
  };
  const std::string start = after.empty() ? std::string() : prefix + std::string(after);
  LARDER_TRY(core_->index->scan_names(prefix, start, visit));
  if (page.entries.empty() && after.empty()) return Error(Errc::not_found, "there is no directory " + prefix);
  return page;
}

Result<bool> Store::is_directory(std::string_view name_space, std::string_view path) const {
  bool any = false;
  if (!is_there(name_space)) return any;
  LARDER_TRY(core_->index->scan_names(directory_prefix(name_space, path), {},
                                      [&](std::string_view, const NameRecord&) {
                                        any = true;
                                        Index::Step step;
                                        step.kind = Index::Step::Kind::stop;
                                        return step;
                                      }));
  return any;
}

Index::Found Store::peek_directory(std::string_view name_space, std::string_view path) const {
  if (!is_there(name_space)) return Index::Found::miss;
  const Index::Found found = core_->index->peek_prefix(directory_prefix(name_space, path));
  return core_->index_complete ? found : Index::Found::unknown;
}

Result<Store::NamePage> Store::list_names(std::string_view name_space, std::string_view after,
                                          std::size_t limit) const {
  const std::string prefix = directory_prefix(name_space, {});
  NamePage page;
  if (!is_there(name_space)) return page;
  const auto visit = [&](std::string_view key, const NameRecord&) {
    Index::Step step;
    if (page.paths.size() == limit) {
      page.more = true;
      step.kind = Index::Step::Kind::stop;
      return step;
    }
    page.paths.emplace_back(key.substr(prefix.size()));
    return step;
  };
  const std::string start = after.empty() ? std::string() : prefix + std::string(after);
  LARDER_TRY(core_->index->scan_names(prefix, start, visit));
  return page;
}

Result<Store::DigestPage> Store::list_digests(std::string_view name_space, std::string_view after,
                                              std::size_t limit) const {
  const std::string prefix = directory_prefix(name_space, {});
  DigestPage page;
  const auto visit = [&](std::string_view key, const NameRecord& record) {
    Index::Step step;
    if (page.files.size() == limit) {
      page.more = true;
      step.kind = Index::Step::Kind::stop;
      return step;
    }
    page.files.push_back({std::string(key.substr(prefix.size())), record.digest, record.size});
    return step;
  };
  const std::string start = after.empty() ? std::string() : prefix + std::string(after);
  LARDER_TRY(core_->index->scan_names(prefix, start, visit));
  return page;
}

Result<Store::ChangePage> Store::changes(std::string_view name_space, std::uint64_t since,
                                         std::size_t limit) const {
  const std::string prefix = directory_prefix(name_space, {});
  ChangePage page;
  page.reached = since;
  LARDER_TRY(core_->index->scan_ledger(since, [&](std::uint64_t sequence, const LedgerRecord& record) {
    if (page.changes.size() == limit) {
      page.more = true;
      return false;
    }
    page.reached = sequence;
    if (changes_names(record.action) && record.key.starts_with(prefix))
      page.changes.push_back({record.key.substr(prefix.size()), removes_name(record.action)});
    return true;
  }));
  // Looked at behind the scan: lines may have been dropped meanwhile.
  if (since < oldest_generation())
    return Error(Errc::not_found, "changes since " + std::to_string(since) + " are kept no more");
  return page;
}

std::uint64_t Store::generation() const {
  return core_->index->last_sequence();
}

std::uint64_t Store::oldest_generation() const {
  return core_->index->first_sequence() - 1;
}

std::uint64_t Store::list_generation() const {
  return (std::uint64_t{core_->index->history()} << k_sequence_bits) + generation();
}

std::optional<std::uint64_t> Store::generation_of(std::uint64_t list_generation) const {
  const std::uint64_t sequence = list_generation & ((std::uint64_t{1} << k_sequence_bits) - 1);
  const bool is_ours = list_generation == 0 || list_generation >> k_sequence_bits == core_->index->history();
  if (!is_ours || sequence > generation() || sequence < oldest_generation()) return std::nullopt;
  return sequence;
}

Result<std::vector<bool>> Store::find_missing(std::string_view name_space,
                                              std::span<const WantedName> wanted) {
  if (core_->find_namespace(name_space) == nullptr)
    return Error(Errc::not_found, "there is no namespace " + std::string(name_space));
  std::vector<bool> missing(wanted.size(), true);
  const auto settle = [&](std::size_t i, const Digest& held) {
    missing[i] = wanted[i].digest && *wanted[i].digest != held;
  };
  std::vector<ArtifactKey> unknown;  // to memory
  std::vector<std::size_t> positions;
  std::string name = std::string(name_space) + "/";
  const std::size_t prefix = name.size();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    name.resize(prefix);
    name += wanted[i].path;
    Entry entry;
    const auto key = KeyView::of_live(name);
    const Found found = key ? check(*key, Access::seen, entry) : Found::unknown;
    if (found == Found::hit) settle(i, entry.digest);
    if (found != Found::unknown) continue;
    auto asked = ArtifactKey::make(name_space, wanted[i].path);
    if (!asked)
      return Error(Errc::invalid_name, "name " + std::to_string(i + 1) + ": " + asked.error().message());
    unknown.push_back(std::move(*asked));
    positions.push_back(i);
  }
  constexpr std::size_t k_batch = 1024;  // names a look-up
  for (std::size_t first = 0; first < unknown.size(); first += k_batch) {
    const auto batch = std::span(unknown).subspan(first, std::min(k_batch, unknown.size() - first));
    LARDER_TRY_ASSIGN(auto records, core_->index->names(batch));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!core_->index_complete) {
        LARDER_TRY_ASSIGN(records[i], core_->find(batch[i]));
      }
      if (!records[i]) continue;
      settle(positions[first + i], records[i]->digest);
      note(batch[i], Access::seen);
    }
  }
  return missing;
}

Result<UploadStart> Store::begin_upload(const ArtifactKey& key, UploadRequest request) {
  return core_->begin_upload(key, std::move(request));
}

Result<Entry> Store::remove(const ArtifactKey& key, const std::string& actor, const std::string& why) {
  StoreCore::Removal removal;
  removal.actor = actor;
  removal.why = why;
  return core_->remove(key, removal);
}

Result<Receipt> Store::rename(const ArtifactKey& from, const ArtifactKey& to, const std::string& actor,
                              Replace replace) {
  return core_->rename(from, to, actor, replace);
}

Result<void> Store::tell_ledger(LedgerAction action, const std::string& what, const std::string& actor) {
  return core_->tell_ledger(action, {what}, actor);
}

bool Store::reconciled() const {
  return core_->index_complete;
}

Result<void> Store::flush_recency() {
  return core_->flush_recency();
}

bool Store::recency_is_pressing() const {
  return core_->recency.pressing();
}

std::uint64_t Store::uses_dropped() const {
  return core_->recency.dropped();
}

Result<api::Stat> Store::totals() {
  api::Stat stat;
  LARDER_TRY_ASSIGN(const DiskSpace space, core_->disk.space());
  stat.disk_total_bytes = space.total_bytes;
  stat.disk_free_bytes = space.free_bytes;
  stat.disk_total_inodes = space.total_inodes;
  stat.disk_free_inodes = space.free_inodes;
  stat.durability = name_of(core_->options.durability);
  stat.reconciling = !core_->index_complete;
  stat.generation = generation();
  stat.scrub = core_->scrubbing.stat();
  for (const NamespaceConfig& each : core_->options.namespaces) {
    const NamespaceTotals totals = core_->index->totals(each.name);
    api::NamespaceStat row;
    row.name = each.name;
    row.kind = name_of(each.kind);
    row.overlay = each.overlay;
    row.artifacts = totals.artifacts;
    row.logical_bytes = totals.logical_bytes;
    row.objects = totals.objects;
    row.physical_bytes = totals.physical_bytes;
    row.max_bytes = each.max_size.bytes;
    stat.objects += totals.objects;
    stat.logical_bytes += totals.logical_bytes;
    stat.physical_bytes += totals.physical_bytes;
    stat.namespaces.push_back(std::move(row));
  }
  const NamespaceTotals of_nobody = core_->index->totals({});
  stat.objects += of_nobody.objects;
  stat.physical_bytes += of_nobody.physical_bytes;
  return stat;
}

const std::vector<NamespaceConfig>& Store::namespaces() const {
  return core_->options.namespaces;
}
const NamespaceConfig* Store::find_namespace(std::string_view name) const {
  return core_->find_namespace(name);
}
std::uint64_t Store::reserved_bytes() const {
  return core_->quota.reserved();
}

std::uint64_t Store::physical_bytes(std::string_view name_space) const {
  return core_->index->totals(name_space).physical_bytes;
}
std::uint64_t Store::objects(std::string_view name_space) const {
  return core_->index->totals(name_space).objects;
}
Result<std::uint64_t> Store::settle_charges(const std::stop_token& stop, std::size_t at_once) {
  return core_->settle_charges([&] { return stop.stop_requested(); }, at_once);
}
Quota::Room Store::take_refused(const std::string& name_space) {
  return core_->quota.take_refused(name_space);
}
Result<DiskSpace> Store::disk_space() const {
  return core_->disk.space();
}

Result<void> Store::keep_reserve() {
  return larder::keep_reserve(core_->disk, core_->options.free_space_floor);
}

Result<std::optional<RecencyRecord>> Store::recency(const ArtifactKey& key) const {
  return core_->index->recency(key);
}

}  // namespace larder
