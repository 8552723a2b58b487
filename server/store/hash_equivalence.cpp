#include <fcntl.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "server/store/hash_equivalence_state.hpp"
#include "server/store/no_log.hpp"

namespace larder {
namespace {

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;  // what is told with an output is text, and much of it
  options.write_buffer_size = 8 << 20;
  return options;
}

}  // namespace

bool HashEquivalence::can_be_key(std::string_view text) {
  return text.size() <= k_most_key && text.find(k_end) == std::string_view::npos;
}

bool HashEquivalence::is_unihash(std::string_view text) {
  constexpr std::size_t k_digits = 64;
  return text.size() == k_digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

HashEquivalence::HashEquivalence(std::unique_ptr<State> state, const Clock& clock, Durability durability,
                                 HasRoom has_room)
    : state_(std::move(state)), clock_(clock), durability_(durability), has_room_(std::move(has_room)) {}

HashEquivalence::~HashEquivalence() = default;

Result<std::unique_ptr<HashEquivalence>> HashEquivalence::open(const std::filesystem::path& directory,
                                                               const Clock& clock, Durability durability,
                                                               HasRoom has_room) {
  constexpr std::size_t k_cache = 32 << 20;
  const auto cache = rocksdb::NewLRUCache(k_cache);
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_open_files = 256;
  options.max_background_jobs = 2;
  options.allow_fallocate = false;
  options.info_log = std::make_shared<NoLog>();
  options.max_total_wal_size = 32 << 20;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : {"default", "tasks", "outputs", "by_outhash", "by_unihash"})
    families.emplace_back(name, family_options(cache));

  auto state = std::make_unique<State>();
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  const auto status = rocksdb::DB::Open(options, directory.string(), families, &handles, &raw);
  if (!status.ok()) {
    const std::string text = status.ToString();
    if (status.IsIOError() && text.find("ock") != std::string::npos)
      return Error(Errc::busy, "cannot open the hash equivalences in " + directory.string() +
                                   ": another larderd is using this data directory (" + text + ")");
    Error error = failed("open", status);
    if (!status.IsCorruption() && !status.IsInvalidArgument()) return error;
    return Error(error.code(), error.message() + ". Move " + directory.string() +
                                   " away, and at the next start its copy of the last day takes its place");
  }
  state->db.reset(raw);
  std::copy(handles.begin(), handles.end(), state->handles.begin());
  std::unique_ptr<HashEquivalence> known(
      new HashEquivalence(std::move(state), clock, durability, std::move(has_room)));
  LARDER_TRY_ASSIGN(const auto last, known->state_->get(State::meta, k_last_key));
  if (last) known->last_created_ = number_in<std::int64_t>(*last).value_or(0);
  LARDER_TRY_ASSIGN(const auto tasks, known->state_->get(State::meta, k_count_key));
  if (tasks) known->tasks_ = number_in<std::uint64_t>(*tasks).value_or(0);
  return known;
}

UnixSeconds HashEquivalence::today() const {
  return clock_.now() / k_day * k_day;
}

Result<void> HashEquivalence::write(rocksdb::WriteBatch& batch, std::int64_t more_tasks) {
  const std::uint64_t tasks = tasks_.load() + static_cast<std::uint64_t>(more_tasks);
  if (more_tasks != 0) batch.Put(state_->family(State::meta), slice(k_count_key), std::to_string(tasks));
  LARDER_TRY(state_->write(batch));
  tasks_ = tasks;
  written_.fetch_add(1);
  return {};
}

Result<void> HashEquivalence::write_more(rocksdb::WriteBatch& batch, std::int64_t more_tasks) {
  if (has_room_ && !has_room_(batch.GetDataSize()))
    return Error(Errc::no_space, "the disk is full: nothing is added to the hash equivalences");
  return write(batch, more_tasks);
}

Result<void> HashEquivalence::sync() {
  if (durability_ == Durability::none) return {};
  const std::uint64_t mine = written_.load();
  std::unique_lock lock(syncing_);
  synced_.wait(lock, [&] { return durable_ >= mine || !sync_runs_; });
  if (durable_ >= mine) return {};
  sync_runs_ = true;
  const std::uint64_t all = written_.load();
  lock.unlock();
  const auto status = state_->db->FlushWAL(true);
  lock.lock();
  sync_runs_ = false;
  if (status.ok()) durable_ = all;
  synced_.notify_all();
  if (!status.ok()) return failed("sync", status);
  return {};
}

Result<std::optional<HashEquivalence::Row>> HashEquivalence::row(const Task& task) const {
  LARDER_TRY_ASSIGN(const auto value, state_->get(State::tasks, key_of(task)));
  if (!value) return std::optional<Row>();
  auto decoded = Row::decode(*value);
  if (!decoded) return damaged("task " + task.taskhash);
  return decoded;
}

Result<std::optional<std::string>> HashEquivalence::unihash(const Task& task) {
  LARDER_TRY_ASSIGN(auto found, row(task));
  if (!found) return std::optional<std::string>();
  if (found->asked < today()) note_asked(task);
  return std::optional<std::string>(std::move(found->unihash));
}

// For the sake of what is kept: not worth a failure.
void HashEquivalence::note_asked(const Task& task) {
  const std::lock_guard lock(writing_);
  auto again = row(task);  // removed meanwhile it stays so
  if (!again || !*again) return;
  (*again)->asked = today();
  rocksdb::WriteBatch batch;
  batch.Put(state_->family(State::tasks), key_of(task), (*again)->encode());
  (void)write_more(batch);
}

Result<bool> HashEquivalence::has_unihash(std::string_view unihash) const {
  if (!can_be_key(unihash)) return false;
  bool found = false;
  LARDER_TRY(state_->each(State::by_unihash, joined({unihash}), [&](std::string_view, std::string_view) {
    found = true;
    return false;
  }));
  return found;
}

Result<std::optional<HashEquivalence::OutputOfTask>> HashEquivalence::output_of(const Task& task) const {
  LARDER_TRY_ASSIGN(auto known, row(task));
  if (!known) return std::optional<OutputOfTask>();
  std::optional<Output> oldest;
  bool unreadable = false;
  std::size_t seen = 0;
  LARDER_TRY(state_->each(
      State::outputs, key_of(task),
      [&](std::string_view key, std::string_view value) {
        auto output = decode_output(key, value);
        if (!output) unreadable = true;
        if (output && (!oldest || output->created < oldest->created)) oldest = std::move(output);
        return ++seen < k_most_seen;
      },
      State::Reach::near));
  if (unreadable && !oldest) return damaged("output of " + task.taskhash);
  if (!oldest) return std::optional<OutputOfTask>();
  return std::optional<OutputOfTask>(
      OutputOfTask{std::move(*oldest), std::move(known->unihash), std::move(known->mark)});
}

Result<std::optional<HashEquivalence::OutputOfTask>> HashEquivalence::output(std::string_view method,
                                                                             std::string_view outhash,
                                                                             Which which) const {
  std::optional<OutputOfTask> found;
  Result<void> outcome;
  std::size_t seen = 0;
  const auto look_at = [&](std::string_view key) -> Result<void> {
    const auto names = split<4>(key);
    if (!names) return damaged("order of outputs");
    OutputOfTask candidate;
    candidate.output.task = {std::string(method), std::string((*names)[3])};
    candidate.output.outhash = outhash;
    LARDER_TRY_ASSIGN(auto known, row(candidate.output.task));
    if (!known && which == Which::with_unihash) return {};
    const std::string place = key_of(candidate.output);
    LARDER_TRY_ASSIGN(const auto value, state_->get(State::outputs, place));
    if (!value) return {};  // removed while we came
    auto output = decode_output(place, *value);
    if (!output) return damaged("output of " + candidate.output.task.taskhash);
    candidate.output = std::move(*output);
    if (known) {
      candidate.unihash = std::move(known->unihash);
      candidate.gc_mark = std::move(known->mark);
    }
    found = std::move(candidate);
    return {};
  };
  LARDER_TRY(state_->each(
      State::by_outhash, joined({method, outhash}),
      [&](std::string_view key, std::string_view) {
        outcome = look_at(key);
        return outcome.ok() && !found && ++seen < k_most_seen;
      },
      State::Reach::near));
  LARDER_TRY(outcome);
  return found;
}

// The unihash of the oldest other task with this output.
Result<std::optional<std::string>> HashEquivalence::equivalent(const Output& output) const {
  std::optional<std::string> found;
  Result<void> outcome;
  std::size_t seen = 0;
  const auto look_at = [&](std::string_view key) -> Result<void> {
    const auto names = split<4>(key);
    if (!names) return damaged("order of outputs");
    if ((*names)[3] == output.task.taskhash) return {};
    LARDER_TRY_ASSIGN(auto known, row({output.task.method, std::string((*names)[3])}));
    if (known) found = std::move(known->unihash);
    return {};
  };
  LARDER_TRY(state_->each(
      State::by_outhash, joined({output.task.method, output.outhash}),
      [&](std::string_view key, std::string_view) {
        outcome = look_at(key);
        return outcome.ok() && !found && ++seen < k_most_seen;
      },
      State::Reach::near));
  LARDER_TRY(outcome);
  return found;
}

Result<HashEquivalence::Counts> HashEquivalence::count() const {
  Counts counts;
  const auto counter = [](std::uint64_t& rows) {
    return [&rows](std::string_view, std::string_view) {
      ++rows;
      return true;
    };
  };
  LARDER_TRY(state_->each(State::tasks, "", counter(counts.unihashes)));
  LARDER_TRY(state_->each(State::outputs, "", counter(counts.outhashes)));
  return counts;
}

Result<std::string> HashEquivalence::report(Output output, const std::string& proposed) {
  std::string holds;
  {
    const std::lock_guard lock(writing_);
    std::int64_t fresh = 0;
    LARDER_TRY_ASSIGN(auto known, row(output.task));
    LARDER_TRY_ASSIGN(const auto reported, state_->get(State::outputs, key_of(output)));
    // Two may tell the same at once: who comes second has nothing to write, but to wait for the disk.
    rocksdb::WriteBatch batch;
    if (!reported) {
      output.created = last_created_ = std::max(last_created_ + 1, clock_.now() * k_microseconds);
      batch.Put(state_->family(State::outputs), key_of(output), encode(output));
      batch.Put(state_->family(State::by_outhash), order_key(output), "");
      batch.Put(state_->family(State::meta), slice(k_last_key), std::to_string(output.created));
    }
    if (!known) {
      LARDER_TRY_ASSIGN(const auto other, equivalent(output));
      LARDER_TRY_ASSIGN(std::string mark, state_->mark());
      known = Row{other.value_or(proposed), std::move(mark), 0};
      batch.Put(state_->family(State::by_unihash), name_key(known->unihash, output.task), "");
      fresh = 1;
    }
    if (known->asked < today()) {
      known->asked = today();
      batch.Put(state_->family(State::tasks), key_of(output.task), known->encode());
    }
    if (batch.Count() > 0) LARDER_TRY(write_more(batch, fresh));
    holds = std::move(known->unihash);
  }
  return holds;
}

Result<std::string> HashEquivalence::equate(const Task& task, const std::string& proposed) {
  std::string holds = proposed;
  {
    const std::lock_guard lock(writing_);
    std::int64_t fresh = 0;
    LARDER_TRY_ASSIGN(auto known, row(task));
    rocksdb::WriteBatch batch;
    if (!known) {
      LARDER_TRY_ASSIGN(std::string mark, state_->mark());
      known = Row{proposed, std::move(mark), 0};
      batch.Put(state_->family(State::by_unihash), name_key(proposed, task), "");
      fresh = 1;
    }
    if (known->asked < today()) {
      known->asked = today();
      batch.Put(state_->family(State::tasks), key_of(task), known->encode());
      LARDER_TRY(write_more(batch, fresh));
    }
    holds = std::move(known->unihash);
  }
  return holds;
}

namespace {

std::filesystem::path backup_of(const std::filesystem::path& directory) {
  return directory.string() + ".backup";
}

}  // namespace

Result<void> HashEquivalence::back_up() {
  const std::lock_guard alone(backing_up_);
  const std::filesystem::path place = backup_of(state_->db->GetName());
  const std::filesystem::path next = place.string() + ".new";
  std::error_code failure;
  std::filesystem::remove_all(next, failure);
  rocksdb::Checkpoint* raw = nullptr;
  auto status = rocksdb::Checkpoint::Create(state_->db.get(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  if (status.ok()) status = checkpoint->CreateCheckpoint(next.string());
  if (!status.ok()) return failed("back up", status);
  // There is always a whole one: they change places where there is one already.
  if (::renameat2(AT_FDCWD, next.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) != 0 &&
      ::rename(next.c_str(), place.c_str()) != 0)
    return posix_error("rename", next.string(), errno);
  std::filesystem::remove_all(next, failure);
  return {};
}

std::optional<UnixSeconds> HashEquivalence::backed_up() const {
  struct stat status {};
  if (::stat((backup_of(state_->db->GetName()) / "CURRENT").c_str(), &status) != 0) return std::nullopt;
  return status.st_mtime;
}

Result<bool> HashEquivalence::restore(const std::filesystem::path& directory) {
  std::error_code failure;
  const std::filesystem::path copy = backup_of(directory);
  if (std::filesystem::exists(directory, failure) || !std::filesystem::exists(copy / "CURRENT", failure))
    return false;
  std::filesystem::rename(copy, directory, failure);
  if (failure) return posix_error("rename", copy.string(), failure.value());
  return true;
}

}  // namespace larder
