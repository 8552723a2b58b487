#include "server/store/hash_equivalence.hpp"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <functional>

#include "server/store/no_log.hpp"

namespace larder {
namespace {

// Keys are fields with a NUL between them; values begin with a version and have one behind each field.
constexpr char k_end = '\0';
constexpr std::string_view k_version = "1";
constexpr std::string_view k_mark_key = "gc-mark";
constexpr std::string_view k_count_key = "tasks";
constexpr std::string_view k_last_key = "last-created";  // so that order outlives clocks that go back
constexpr std::size_t k_most_key = 512;                  // bytes of a field
constexpr std::size_t k_most_seen = 1000;                // outputs, for one that has a unihash
constexpr std::uint64_t k_most_removed = 10'000;         // rows passed over on the way to one
constexpr std::size_t k_step = 1024;                     // rows changed together
constexpr UnixSeconds k_day = 24 * 60 * 60;
constexpr std::int64_t k_microseconds = 1'000'000;  // of a second

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(const rocksdb::Slice& text) {
  return {text.data(), text.size()};
}

Error failed(std::string_view doing, const rocksdb::Status& status) {
  const std::string text = "cannot " + std::string(doing) + " the hash equivalences: " + status.ToString();
  if (status.IsNoSpace()) return Error(Errc::no_space, text);
  if (status.IsCorruption()) return Error(Errc::corrupt, text);
  return Error(Errc::io, text);
}

Error damaged(std::string_view what) {
  return Error(Errc::corrupt, "a row of the hash equivalences (" + std::string(what) + ") cannot be read");
}

std::string joined(std::initializer_list<std::string_view> fields) {
  std::string text;
  for (const std::string_view each : fields) {
    text.append(each);
    text.push_back(k_end);
  }
  return text;
}

// "a\0b\0" → a, b. Nothing when there are fewer or more.
template <std::size_t N>
std::optional<std::array<std::string_view, N>> split(std::string_view text) {
  std::array<std::string_view, N> fields;
  for (std::string_view& each : fields) {
    const auto end = text.find(k_end);
    if (end == std::string_view::npos) return std::nullopt;
    each = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  if (!text.empty()) return std::nullopt;
  return fields;
}

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// So that keys sort by it.
std::string padded(std::int64_t created) {
  std::string digits = std::to_string(std::max<std::int64_t>(created, 0));
  constexpr std::size_t k_digits = 19;
  return std::string(k_digits - std::min(k_digits, digits.size()), '0') + digits;
}

std::string key_of(const HashEquivalence::Task& task) {
  return joined({task.method, task.taskhash});
}
std::string key_of(const HashEquivalence::Output& output) {
  return joined({output.task.method, output.task.taskhash, output.outhash});
}
std::string order_key(const HashEquivalence::Output& output) {
  return joined({output.task.method, output.outhash, padded(output.created), output.task.taskhash});
}
std::string name_key(std::string_view unihash, const HashEquivalence::Task& task) {
  return joined({unihash, task.method, task.taskhash});
}

// "-" for what was not told, "+text" for what was.
std::string encode(const HashEquivalence::Output& output) {
  std::string text = joined({k_version, std::to_string(output.created)});
  for (const auto& each : output.details) {
    text.append(each ? "+" + *each : "-");
    text.push_back(k_end);
  }
  return text;
}

std::optional<HashEquivalence::Output> decode_output(std::string_view key, std::string_view value) {
  const auto names = split<3>(key);
  const auto fields = split<2 + HashEquivalence::k_details>(value);
  if (!names || !fields || (*fields)[0] != k_version) return std::nullopt;
  HashEquivalence::Output output;
  output.task.method = (*names)[0];
  output.task.taskhash = (*names)[1];
  output.outhash = (*names)[2];
  const auto created = number_in<std::int64_t>((*fields)[1]);
  if (!created) return std::nullopt;
  output.created = *created;
  for (std::size_t i = 0; i < HashEquivalence::k_details; ++i) {
    const std::string_view field = (*fields)[2 + i];
    if (field.starts_with('+')) output.details[i] = field.substr(1);
  }
  return output;
}

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

// Of a task.
struct HashEquivalence::Row {
  std::string unihash;
  std::string mark;
  UnixSeconds asked = 0;  // the day it was last asked for, or was new

  std::string encode() const { return joined({k_version, unihash, mark, std::to_string(asked)}); }
  static std::optional<Row> decode(std::string_view value) {
    const auto fields = split<4>(value);
    if (!fields || (*fields)[0] != k_version) return std::nullopt;
    const auto asked = number_in<UnixSeconds>((*fields)[3]);
    if (!asked) return std::nullopt;
    return Row{std::string((*fields)[1]), std::string((*fields)[2]), *asked};
  }
};

class HashEquivalence::State {
 public:
  enum Family { meta, tasks, outputs, by_outhash, by_unihash, family_count };

  ~State() {
    if (!db) return;
    for (auto* handle : handles) {
      if (handle != nullptr) (void)db->DestroyColumnFamilyHandle(handle);
    }
  }

  rocksdb::ColumnFamilyHandle* family(Family which) const { return handles[which]; }

  Result<std::optional<std::string>> get(Family which, std::string_view key) const {
    std::string value;
    const auto status = db->Get(rocksdb::ReadOptions(), family(which), slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return failed("read", status);
    return std::optional<std::string>(std::move(value));
  }

  Result<void> write(rocksdb::WriteBatch& batch) {
    auto status = db->Write(rocksdb::WriteOptions(), &batch);
    // After it met a full disk the database takes no writes until it is told to try again.
    if (status.IsNoSpace() && db->Resume().ok()) status = db->Write(rocksdb::WriteOptions(), &batch);
    if (!status.ok()) return failed("write to", status);
    return {};
  }

  // Rows whose key begins with `prefix`, until `visit` returns false. Reach::near gives up, as if there were
  // no more, where too many in a row were removed: for answers that may miss something, and not for what
  // removes or marks.
  enum class Reach : std::uint8_t { all, near };
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;
  Result<void> each(Family which, std::string_view prefix, const Visitor& visit,
                    Reach reach = Reach::all) const {
    rocksdb::ReadOptions options;
    if (reach == Reach::near) options.max_skippable_internal_keys = k_most_removed;
    std::unique_ptr<rocksdb::Iterator> row(db->NewIterator(options, family(which)));
    for (row->Seek(slice(prefix)); row->Valid() && view(row->key()).starts_with(prefix); row->Next()) {
      if (!visit(view(row->key()), view(row->value()))) break;
    }
    const bool gave_up = reach == Reach::near && row->status().IsIncomplete();
    if (!row->status().ok() && !gave_up) return failed("read", row->status());
    return {};
  }

  Result<std::string> mark() const {
    LARDER_TRY_ASSIGN(auto kept, get(meta, k_mark_key));
    return kept ? std::move(*kept) : std::string();
  }

  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, family_count> handles{};
};

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

// ------------------------------------------------------------- cleaning up --

namespace {

// What a condition says of one column.
std::optional<std::string_view> wanted(const HashEquivalence::Where& where, std::string_view column) {
  const auto found = where.find(column);
  if (found == where.end()) return std::nullopt;
  return found->second;
}

// A key that can be none is nobody's.
bool can_agree(const HashEquivalence::Where& where) {
  constexpr std::array<std::string_view, 5> k_keys = {"method", "taskhash", "unihash", "outhash", "gc_mark"};
  return std::ranges::all_of(k_keys, [&](std::string_view column) {
    return HashEquivalence::can_be_key(wanted(where, column).value_or(""));
  });
}

bool agrees(const HashEquivalence::Where& where, std::string_view column, std::string_view value) {
  const auto condition = wanted(where, column);
  return !condition || *condition == value;
}

bool speaks_of(const HashEquivalence::Where& where, std::initializer_list<std::string_view> columns) {
  return std::ranges::any_of(columns, [&](std::string_view each) { return where.contains(each); });
}

bool agrees(const HashEquivalence::Where& where, const HashEquivalence::Output& output) {
  if (!agrees(where, "method", output.task.method) || !agrees(where, "taskhash", output.task.taskhash) ||
      !agrees(where, "outhash", output.outhash))
    return false;
  for (std::size_t i = 0; i < HashEquivalence::k_details; ++i) {
    const auto condition = wanted(where, HashEquivalence::k_detail_names[i]);
    if (condition && output.details[i] != std::string(*condition)) return false;
  }
  return true;
}

}  // namespace

Result<std::vector<HashEquivalence::Task>> HashEquivalence::tasks_where(const Where& where) const {
  std::vector<Task> found;
  if (!can_agree(where) || !speaks_of(where, {"method", "taskhash", "unihash", "gc_mark"})) return found;
  bool unreadable = false;
  const auto unihash = wanted(where, "unihash");
  if (unihash) {
    std::vector<Task> named;
    LARDER_TRY(
        state_->each(State::by_unihash, joined({*unihash}), [&](std::string_view key, std::string_view) {
          const auto names = split<3>(key);
          unreadable = unreadable || !names;
          if (names) named.push_back({std::string((*names)[1]), std::string((*names)[2])});
          return true;
        }));
    for (Task& each : named) {
      if (!agrees(where, "method", each.method) || !agrees(where, "taskhash", each.taskhash)) continue;
      LARDER_TRY_ASSIGN(const auto known, row(each));
      if (known && agrees(where, "gc_mark", known->mark)) found.push_back(std::move(each));
    }
  } else {
    const auto method = wanted(where, "method");
    LARDER_TRY(state_->each(State::tasks, method ? joined({*method}) : std::string(),
                            [&](std::string_view key, std::string_view value) {
                              const auto names = split<2>(key);
                              const auto known = Row::decode(value);
                              unreadable = unreadable || !names || !known;
                              if (names && known && agrees(where, "taskhash", (*names)[1]) &&
                                  agrees(where, "gc_mark", known->mark))
                                found.push_back({std::string((*names)[0]), std::string((*names)[1])});
                              return true;
                            }));
  }
  if (unreadable) return damaged("tasks");
  return found;
}

Result<std::vector<std::string>> HashEquivalence::outputs_where(const Where& where) const {
  std::vector<std::string> found;
  if (!can_agree(where) || !speaks_of(where, {"method", "taskhash", "outhash", "owner", "PN", "PV", "PR",
                                              "task", "outhash_siginfo"}))
    return found;
  bool unreadable = false;
  const auto method = wanted(where, "method");
  LARDER_TRY(state_->each(State::outputs, method ? joined({*method}) : std::string(),
                          [&](std::string_view key, std::string_view value) {
                            const auto output = decode_output(key, value);
                            unreadable = unreadable || !output;
                            if (output && agrees(where, *output)) found.emplace_back(key);
                            return true;
                          }));
  if (unreadable) return damaged("outputs");
  return found;
}

Result<std::uint64_t> HashEquivalence::remove(const Where& where) {
  const std::lock_guard alone(cleaning_);
  LARDER_TRY_ASSIGN(const std::vector<std::string> outputs, outputs_where(where));
  LARDER_TRY_ASSIGN(const std::vector<Task> tasks, tasks_where(where));
  LARDER_TRY_ASSIGN(std::uint64_t count, remove_outputs(outputs));
  LARDER_TRY_ASSIGN(const std::uint64_t more, remove_tasks(tasks, [](const Row&) { return true; }));
  return count + more;
}

Result<std::uint64_t> HashEquivalence::remove_outputs(std::span<const std::string> keys) {
  std::uint64_t count = 0;
  while (!keys.empty()) {
    const auto step = keys.first(std::min(keys.size(), k_step));
    keys = keys.subspan(step.size());
    const std::lock_guard lock(writing_);
    rocksdb::WriteBatch batch;
    for (const std::string& key : step) {
      LARDER_TRY_ASSIGN(const auto value, state_->get(State::outputs, key));
      if (!value) continue;
      const auto output = decode_output(key, *value);
      if (output) batch.Delete(state_->family(State::by_outhash), order_key(*output));
      batch.Delete(state_->family(State::outputs), key);
      ++count;
    }
    LARDER_TRY(write(batch));
  }
  return count;
}

Result<std::uint64_t> HashEquivalence::remove_tasks(std::span<const Task> tasks, const Doomed& doomed) {
  std::uint64_t count = 0;
  while (!tasks.empty()) {
    const auto step = tasks.first(std::min(tasks.size(), k_step));
    tasks = tasks.subspan(step.size());
    const std::lock_guard lock(writing_);
    rocksdb::WriteBatch batch;
    std::int64_t gone = 0;
    for (const Task& task : step) {
      LARDER_TRY_ASSIGN(const auto known, row(task));
      if (!known || !doomed(*known)) continue;
      batch.Delete(state_->family(State::tasks), key_of(task));
      batch.Delete(state_->family(State::by_unihash), name_key(known->unihash, task));
      ++gone;
    }
    LARDER_TRY(write(batch, -gone));
    count += static_cast<std::uint64_t>(gone);
  }
  return count;
}

Result<std::uint64_t> HashEquivalence::remove_unused_outputs(std::int64_t before) {
  const std::lock_guard alone(cleaning_);
  std::vector<std::string> old;
  LARDER_TRY(state_->each(State::outputs, "", [&](std::string_view key, std::string_view value) {
    const auto output = decode_output(key, value);
    if (output && output->created < before) old.emplace_back(key);
    return true;
  }));
  std::vector<std::string> unused;
  for (std::string& key : old) {
    const auto names = split<3>(key);
    LARDER_TRY_ASSIGN(const auto known, row({std::string((*names)[0]), std::string((*names)[1])}));
    if (!known) unused.push_back(std::move(key));
  }
  LARDER_TRY_ASSIGN(const std::uint64_t count, remove_outputs(unused));
  return count;
}

Result<std::uint64_t> HashEquivalence::mark(const std::string& mark, const Where& where) {
  const std::lock_guard alone(cleaning_);
  {
    const std::lock_guard lock(writing_);
    rocksdb::WriteBatch batch;
    batch.Put(state_->family(State::meta), slice(k_mark_key), mark);
    LARDER_TRY(write(batch));
  }
  LARDER_TRY_ASSIGN(const std::vector<Task> found, tasks_where(where));
  std::uint64_t count = 0;
  for (std::span<const Task> rest = found; !rest.empty();) {
    const auto step = rest.first(std::min(rest.size(), k_step));
    rest = rest.subspan(step.size());
    const std::lock_guard lock(writing_);
    rocksdb::WriteBatch batch;
    for (const Task& task : step) {
      LARDER_TRY_ASSIGN(auto known, row(task));
      if (!known) continue;
      known->mark = mark;
      batch.Put(state_->family(State::tasks), key_of(task), known->encode());
      ++count;
    }
    LARDER_TRY(write(batch));
  }
  return count;
}

Result<HashEquivalence::MarkStatus> HashEquivalence::mark_status() const {
  MarkStatus status;
  LARDER_TRY_ASSIGN(status.mark, state_->get(State::meta, k_mark_key));
  const std::string current = status.mark.value_or("");
  LARDER_TRY(state_->each(State::tasks, "", [&](std::string_view, std::string_view value) {
    const auto known = Row::decode(value);
    if (known) ++(known->mark == current ? status.keep : status.remove);
    return true;
  }));
  return status;
}

Result<std::uint64_t> HashEquivalence::sweep(const std::string& mark) {
  const std::lock_guard alone(cleaning_);
  LARDER_TRY_ASSIGN(const std::string current, state_->mark());
  if (current.empty() || mark != current)
    return Error(Errc::invalid_argument, "'" + mark + "' is not the current mark. Refusing to sweep");
  std::vector<Task> unmarked;
  std::size_t all = 0;
  LARDER_TRY(state_->each(State::tasks, "", [&](std::string_view key, std::string_view value) {
    ++all;
    const auto names = split<2>(key);
    const auto known = Row::decode(value);
    if (names && known && known->mark != mark)
      unmarked.push_back({std::string((*names)[0]), std::string((*names)[1])});
    return true;
  }));
  if (unmarked.size() == all && all > 0)
    return Error(Errc::invalid_argument,
                 "nothing is marked with '" + mark + "', so that nothing would be left. Refusing to sweep");
  if (!unmarked.empty()) {
    const auto copied = back_up();
    if (!copied && copied.error().code() != Errc::no_space) return copied.error();  // a sweep makes room
  }
  LARDER_TRY_ASSIGN(const std::uint64_t count,
                    remove_tasks(unmarked, [&](const Row& known) { return known.mark != mark; }));
  {
    const std::lock_guard lock(writing_);
    rocksdb::WriteBatch batch;
    batch.Delete(state_->family(State::meta), slice(k_mark_key));
    LARDER_TRY(write(batch));
  }
  return count;
}

Result<std::unordered_set<std::string>> HashEquivalence::unasked(UnixSeconds before, std::size_t most,
                                                                 const std::stop_token& stop) const {
  std::unordered_set<std::string> found;
  LARDER_TRY(state_->each(State::tasks, "", [&](std::string_view, std::string_view value) {
    auto known = Row::decode(value);
    if (known && known->asked < before) found.insert(std::move(known->unihash));
    return found.size() < most && !stop.stop_requested();
  }));
  return found;
}

Result<void> HashEquivalence::keep(const std::unordered_set<std::string>& unihashes) {
  for (const std::string& unihash : unihashes) {
    LARDER_TRY_ASSIGN(const std::vector<Task> tasks, tasks_where({{"unihash", unihash}}));
    const std::lock_guard lock(writing_);
    rocksdb::WriteBatch batch;
    for (const Task& task : tasks) {
      LARDER_TRY_ASSIGN(auto known, row(task));
      if (!known) continue;
      known->asked = today();
      batch.Put(state_->family(State::tasks), key_of(task), known->encode());
    }
    LARDER_TRY(write(batch));
  }
  return {};
}

Result<std::uint64_t> HashEquivalence::forget(const std::unordered_set<std::string>& unihashes,
                                              UnixSeconds before) {
  const std::lock_guard alone(cleaning_);
  std::uint64_t count = 0;
  for (const std::string& unihash : unihashes) {
    LARDER_TRY_ASSIGN(const std::vector<Task> tasks, tasks_where({{"unihash", unihash}}));
    LARDER_TRY_ASSIGN(const std::uint64_t gone,
                      remove_tasks(tasks, [&](const Row& known) { return known.asked < before; }));
    count += gone;
    for (const Task& task : tasks) {
      LARDER_TRY_ASSIGN(const auto known, row(task));
      if (known) continue;
      std::vector<std::string> outputs;
      LARDER_TRY(state_->each(State::outputs, key_of(task), [&](std::string_view key, std::string_view) {
        outputs.emplace_back(key);
        return true;
      }));
      LARDER_TRY(remove_outputs(outputs));
    }
  }
  return count;
}

}  // namespace larder
