#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>

#include <random>
#include <utility>

#include "common/descriptor.hpp"
#include "server/store/index_state.hpp"
#include "server/store/no_log.hpp"

namespace larder {
namespace {

constexpr std::string_view k_clean_mark = "clean";
constexpr std::string_view k_clean_of_all = "1";  // of earlier builds
constexpr std::string_view k_history = "history";

// A name and LF each, of the namespaces whose rows agree with the tree; nothing: of all of them.
std::string encode_trusted(const std::optional<std::set<std::string>>& namespaces) {
  if (!namespaces) return std::string(k_clean_of_all);
  std::string text;
  for (const std::string& each : *namespaces) text += each + "\n";
  return text;
}

std::optional<std::set<std::string>> decode_trusted(std::string_view text) {
  if (text == k_clean_of_all) return std::nullopt;
  std::set<std::string> namespaces;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    namespaces.emplace(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return namespaces;
}

std::uint32_t new_history() {
  std::random_device device;
  return std::uniform_int_distribution<std::uint32_t>(1, Index::k_most_histories)(device);
}

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = true;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kNoCompression;  // keys prefix-compress already; LZ4 costs 0.4 us a hit
  options.write_buffer_size = 16 << 20;
  return options;
}

// Each upload asks for rows that are not there; tables have filters, and the newest rows get one, too.
rocksdb::ColumnFamilyOptions sought_family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options = family_options(cache);
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
  return options;
}

// All families of a new index at once: one by one, RocksDB would write its options anew, and read them back,
// behind each.
rocksdb::Status open_families(const rocksdb::DBOptions& options, const std::string& directory,
                              std::vector<rocksdb::ColumnFamilyDescriptor> families,
                              std::vector<rocksdb::ColumnFamilyHandle*>& handles, rocksdb::DB*& raw) {
  std::error_code ignored;
  if (std::filesystem::exists(directory + "/CURRENT", ignored))
    return rocksdb::DB::Open(options, directory, families, &handles, &raw);
  const std::vector<rocksdb::ColumnFamilyDescriptor> others(families.begin() + 1, families.end());
  families.resize(1, families.front());
  auto status = rocksdb::DB::Open(options, directory, families, &handles, &raw);
  if (!status.ok()) return status;
  std::vector<rocksdb::ColumnFamilyHandle*> created;
  status = raw->CreateColumnFamilies(others, &created);
  handles.insert(handles.end(), created.begin(), created.end());
  if (status.ok()) return status;
  for (rocksdb::ColumnFamilyHandle* each : handles) (void)raw->DestroyColumnFamilyHandle(each);
  delete std::exchange(raw, nullptr);
  return status;
}

}  // namespace

Index::Index(std::unique_ptr<State> state) : state_(std::move(state)) {}
Index::~Index() = default;

Result<std::unique_ptr<Index>> Index::open(const std::filesystem::path& directory, ByteSize cache_size,
                                           Medium medium) {
  const auto cache = rocksdb::NewLRUCache(cache_size.bytes);
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_open_files = -1;  // filters stay in memory: a miss never reads
  options.max_background_jobs = 2;
  options.info_log = std::make_shared<NoLog>();
  options.max_total_wal_size = 64 << 20;  // bounds what a start has to replay
  if (medium == Medium::memory) {
    options.allow_fallocate = false;
    options.max_file_opening_threads = 1;  // there is nothing to wait for
  }

  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const std::string name : {"default", "names", "objects", "recency", "ledger", "trash"}) {
    const bool sought = name == "names" || name == "objects";
    families.emplace_back(name, sought ? sought_family_options(cache) : family_options(cache));
  }

  auto state = std::make_unique<State>();
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  const auto status = open_families(options, directory.string(), std::move(families), handles, raw);
  if (!status.ok()) {
    const std::string text = status.ToString();
    if (status.IsIOError() && text.find("ock") != std::string::npos)
      return Error(Errc::busy, "cannot open the index in " + directory.string() +
                                   ": another larderd is using this data directory (" + text + ")");
    return index_error("open", status);
  }
  state->db.reset(raw);
  std::copy(handles.begin(), handles.end(), state->handles.begin());

  LARDER_TRY(state->begin_run());

  std::unique_ptr<rocksdb::Iterator> last(
      state->db->NewIterator(rocksdb::ReadOptions(), state->family(State::ledger)));
  last->SeekToLast();
  if (last->Valid()) state->sequence = decode_sequence(view(last->key())).value_or(0);
  last->SeekToFirst();
  if (last->Valid()) state->first_sequence = decode_sequence(view(last->key())).value_or(1);

  std::unique_ptr<rocksdb::Iterator> totals(
      state->db->NewIterator(rocksdb::ReadOptions(), state->family(State::meta)));
  for (totals->Seek(slice(k_totals_prefix)); totals->Valid(); totals->Next()) {
    const std::string_view key = view(totals->key());
    if (!key.starts_with(k_totals_prefix)) break;
    const auto decoded = decode_totals(view(totals->value()));
    if (decoded) state->totals.emplace(key.substr(k_totals_prefix.size()), *decoded);
  }
  return std::unique_ptr<Index>(new Index(std::move(state)));
}

// Closing the file drops whatever lock of it this very process has (fcntl(2)): not for who has the index
// open.
bool Index::is_open_elsewhere(const std::filesystem::path& directory) {
  const Descriptor file(::open((directory / "LOCK").c_str(), O_RDONLY | O_CLOEXEC));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return file && ::fcntl(file.get(), F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Result<void> Index::State::begin_run() {
  std::string mark;
  std::string kept;
  history = new_history();
  if (!db->Get(rocksdb::ReadOptions(), family(meta), slice(k_clean_mark), &mark).ok()) return {};
  if (db->Get(rocksdb::ReadOptions(), family(meta), slice(k_history), &kept).ok())
    history = static_cast<std::uint32_t>(decode_sequence(kept).value_or(history));
  found = Condition::clean;
  reconciled = true;
  trusted = decode_trusted(mark);
  // Gone before the first change, for good: a crash from here on is noticed.
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto removed = db->Delete(synced, family(meta), slice(k_clean_mark));
  if (!removed.ok()) return index_error("write to", removed);
  return {};
}

Index::Condition Index::condition() const {
  return state_->found;
}

bool Index::agrees_about(std::string_view name_space) const {
  const std::lock_guard lock(state_->trust_mutex);
  return !state_->trusted || state_->trusted->contains(std::string(name_space));
}

void Index::trust(const std::vector<std::string>& namespaces) {
  const std::lock_guard lock(state_->trust_mutex);
  if (state_->trusted) state_->trusted->insert(namespaces.begin(), namespaces.end());
  state_->reconciled = true;
}

void Index::trust_only(const std::vector<std::string>& namespaces) {
  const std::lock_guard lock(state_->trust_mutex);
  state_->trusted.emplace(namespaces.begin(), namespaces.end());
  state_->reconciled = true;
}

void Index::distrust() {
  const std::lock_guard lock(state_->trust_mutex);
  state_->reconciled = false;
}

Result<void> Index::close() {
  if (state_->reconciled) {
    rocksdb::WriteOptions synced;
    synced.sync = true;  // implies everything before it in the log
    rocksdb::WriteBatch batch;
    batch.Put(state_->family(State::meta), slice(k_clean_mark), encode_trusted(state_->trusted));
    batch.Put(state_->family(State::meta), slice(k_history), encode_sequence(state_->history));
    const auto status = state_->db->Write(synced, &batch);
    if (!status.ok()) return index_error("close", status);
  }
  state_.reset();
  return {};
}

Result<void> Index::load_names(ByteSize limit, const std::stop_token& stop) {
  if (limit.bytes == 0) return {};
  std::uint64_t expected = 0;
  {
    const std::lock_guard lock(state_->write_mutex);
    for (const auto& [space, totals] : state_->totals) expected += is_live(space) ? totals.artifacts : 0;
  }
  NameMap& map = state_->names_in_memory;
  map.begin(limit, expected);
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // what is read once would push out what is read often
  options.readahead_size = 1 << 20;
  std::unique_ptr<rocksdb::Iterator> row(state_->db->NewIterator(options, state_->family(State::names)));
  for (row->SeekToFirst(); row->Valid(); row->Next()) {
    if (!is_live(view(row->key()))) {  // on to what follows '@'
      row->Seek("A");
      if (!row->Valid()) break;
    }
    const auto record = decode_name(view(row->value()));
    if (!record || stop.stop_requested()) {
      map.give_up();
      if (!record)
        return Error(Errc::corrupt, "the index has a row that does not decode: " + row->key().ToString());
      return Error(Errc::cancelled, "reading the index was ended");
    }
    if (!map.learn(state_->hash(view(row->key())), {record->digest, record->size, record->stored}))
      return Error(Errc::too_large, "the names take more than " + human_size(limit.bytes) + " of memory");
  }
  if (!row->status().ok()) {
    map.give_up();
    return index_error("read from", row->status());
  }
  map.complete();
  return {};
}

std::uint64_t Index::bytes_of_names() const {
  return state_->names_in_memory.is_complete() ? state_->names_in_memory.bytes() : 0;
}

NameHash Index::hash_of(KeyView key) const {
  return state_->hash(key.str());
}

Index::Found Index::peek(KeyView key, Entry& entry) const {
  return peek(key, hash_of(key), entry);
}

Index::Found Index::peek(KeyView key, const NameHash& hash, Entry& entry) const {
  if (!key.is_frozen()) {
    const Found found = state_->names_in_memory.find(hash, entry);
    if (found != Found::unknown) return found;
  }
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kBlockCacheTier;
  rocksdb::PinnableSlice value;
  const auto status = state_->db->Get(options, state_->family(State::names), slice(key.str()), &value);
  if (status.IsNotFound()) return Found::miss;
  if (!status.ok()) return Found::unknown;  // Incomplete: the block is on disk
  const auto record = decode_name(view(value));
  if (!record) return Found::unknown;
  entry = {record->digest, record->size, record->stored};
  return Found::hit;
}

Index::Found Index::peek_prefix(std::string_view prefix) const {
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kBlockCacheTier;
  options.max_skippable_internal_keys = 256;  // removed names before the first that is there
  std::unique_ptr<rocksdb::Iterator> row(state_->db->NewIterator(options, state_->family(State::names)));
  row->Seek(slice(prefix));
  if (row->Valid()) return view(row->key()).starts_with(prefix) ? Found::hit : Found::miss;
  return row->status().ok() ? Found::miss : Found::unknown;
}

Result<std::optional<NameRecord>> Index::name(const ArtifactKey& key) const {
  if (!key.is_frozen()) {
    Entry ignored;  // not all of the row
    if (state_->names_in_memory.find(hash_of(key), ignored) == Found::miss)
      return std::optional<NameRecord>();
  }
  return state_->get<NameRecord>(State::names, key.str(), &decode_name);
}

Result<std::vector<std::optional<NameRecord>>> Index::names(std::span<const ArtifactKey> keys) const {
  std::vector<rocksdb::Slice> slices;
  slices.reserve(keys.size());
  for (const ArtifactKey& key : keys) slices.push_back(slice(key.str()));
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  state_->db->MultiGet(rocksdb::ReadOptions(), state_->family(State::names), slices.size(), slices.data(),
                       values.data(), statuses.data());

  std::vector<std::optional<NameRecord>> records(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    if (!statuses[i].ok()) return index_error("read from", statuses[i]);
    records[i] = decode_name(view(values[i]));
  }
  return records;
}

Result<std::optional<ObjectRecord>> Index::object(const Digest& digest) const {
  return state_->get<ObjectRecord>(State::objects, digest.raw(), &decode_object);
}

Result<std::uint64_t> Index::apply(const IndexChange& change) {
  return apply(std::span(&change, 1));
}

Result<std::uint64_t> Index::apply(std::span<const IndexChange> changes) {
  const std::lock_guard lock(state_->write_mutex);
  Pending pending;
  std::uint64_t sequence = state_->sequence;
  for (const IndexChange& change : changes) {
    pending.batch.Put(state_->family(State::ledger), encode_sequence(++sequence), encode(change.ledger));
    if (change.key != nullptr) LARDER_TRY(add(change, pending));
  }
  LARDER_TRY(state_->write_with_totals(pending.batch, pending.sums));
  for (const IndexChange& change : changes) {
    if (change.key != nullptr) state_->remember(*change.key, change.name);
  }
  state_->sequence = sequence;
  return sequence;
}

Result<void> Index::add(const IndexChange& change, Pending& pending) const {
  rocksdb::WriteBatch& batch = pending.batch;
  NamespaceTotals& totals = state_->sum_of(pending.sums, std::string(change.key->name_space()));
  LARDER_TRY_ASSIGN(const std::optional<NameRecord> before, name(*change.key));
  if (before) {
    totals.artifacts -= 1;
    totals.logical_bytes -= before->size;
  }
  if (change.name) {
    totals.artifacts += 1;
    totals.logical_bytes += change.name->size;
    batch.Put(state_->family(State::names), slice(change.key->str()), encode(*change.name));
  } else {
    if (change.trash != 0 && before) {
      const TrashRecord record{*before, change.ledger.time, change.ledger.actor, change.ledger.why};
      batch.Put(state_->family(State::trash), trash_key(change.trash, change.key->str()), encode(record));
    }
    batch.Delete(state_->family(State::names), slice(change.key->str()));
    batch.Delete(state_->family(State::recency), slice(change.key->str()));
  }
  if (change.new_object && change.name) LARDER_TRY(charge(change.name->digest, *change.new_object, pending));
  return {};
}

Result<std::optional<std::string>> Index::note(std::string_view name) const {
  std::string value;
  const auto status =
      state_->db->Get(rocksdb::ReadOptions(), state_->family(State::meta), slice(name), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return index_error("read from", status);
  return std::optional<std::string>(std::move(value));
}

Result<void> Index::set_note(std::string_view name, std::string_view value) {
  rocksdb::WriteBatch batch;
  batch.Put(state_->family(State::meta), slice(name), slice(value));
  return state_->write(batch);
}

Result<void> Index::touch(const std::vector<std::pair<std::string_view, RecencyRecord>>& batch) {
  rocksdb::WriteBatch writes;
  for (const auto& [key, seen] : batch) {
    LARDER_TRY_ASSIGN(const std::optional<RecencyRecord> before,
                      state_->get<RecencyRecord>(State::recency, key, &decode_recency));
    RecencyRecord record = before.value_or(RecencyRecord());
    record.used = std::max(record.used, seen.used);
    record.seen = std::max(record.seen, seen.seen);
    writes.Put(state_->family(State::recency), slice(key), encode(record));
  }
  return state_->write(writes);
}

Result<std::optional<RecencyRecord>> Index::recency(const ArtifactKey& key) const {
  return state_->get<RecencyRecord>(State::recency, key.str(), &decode_recency);
}

Result<void> Index::add_names(std::string_view space,
                              const std::vector<std::pair<std::string, NameRecord>>& rows) {
  const std::lock_guard lock(state_->write_mutex);
  NamespaceTotals totals = state_->total_of(space);
  rocksdb::WriteBatch batch;
  for (const auto& [key, record] : rows) {
    batch.Put(state_->family(State::names), slice(key), encode(record));
    totals.artifacts += 1;
    totals.logical_bytes += record.size;
  }
  return state_->write_with_totals(batch, {{std::string(space), totals}});
}

Result<void> Index::drop_names(std::string_view space) {
  const std::string first = std::string(space) + "/";
  const std::string last = std::string(space) + "0";  // '0' follows '/'
  const std::lock_guard lock(state_->write_mutex);
  rocksdb::WriteBatch batch;
  batch.DeleteRange(state_->family(State::names), first, last);
  batch.DeleteRange(state_->family(State::recency), first, last);
  batch.Delete(state_->family(State::meta), totals_key(space));
  LARDER_TRY(state_->write(batch));
  const std::lock_guard totals_lock(state_->totals_mutex);
  state_->totals.erase(std::string(space));
  return {};
}

std::uint64_t Index::last_sequence() const {
  return state_->sequence.load();
}

std::uint32_t Index::history() const {
  return state_->history;
}

std::uint64_t Index::first_sequence() const {
  return state_->first_sequence.load();
}

// By halves: lines are as old as their sequence says, but for a clock that was set back.
Result<std::uint64_t> Index::trim_ledger(UnixSeconds time) {
  const std::uint64_t first = first_sequence();
  std::uint64_t low = first;
  std::uint64_t high = last_sequence();  // the line to begin with lies in [low, high]
  std::unique_ptr<rocksdb::Iterator> row(
      state_->db->NewIterator(rocksdb::ReadOptions(), state_->family(State::ledger)));
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    row->Seek(encode_sequence(middle));
    if (!row->status().ok()) return index_error("read from", row->status());
    const auto record = row->Valid() ? decode_ledger(view(row->value())) : std::nullopt;
    if (!record) return Error(Errc::corrupt, "the ledger has a line that does not decode");
    if (record->time < time)
      low = middle + 1;
    else
      high = middle;
  }
  if (low <= first) return std::uint64_t{0};
  state_->first_sequence = low;  // first: nobody takes what is left for all that there was
  rocksdb::WriteBatch batch;
  batch.DeleteRange(state_->family(State::ledger), encode_sequence(0), encode_sequence(low));
  const Result<void> dropped = state_->write(batch);
  if (!dropped) state_->first_sequence = first;
  LARDER_TRY(dropped);
  return low - first;
}

NamespaceTotals Index::totals(std::string_view name_space) const {
  return state_->total_of(name_space);
}

}  // namespace larder
