// Which tasks have the same output: what bitbake-hashserv keeps, kept beside the shared state it is about.
// A task is known by a method and its taskhash. When it has run, the hash of its output (outhash) is
// reported, and the unihash that the first task with that output has is the name of this one's objects, too.
// A unihash that was given once never changes. Unlike the index none of this can be read back from the tree:
// it has a directory of its own. Thread-safe; everything here may wait for the disk.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "server/config.hpp"

namespace rocksdb {
class WriteBatch;
}

namespace larder {

inline constexpr std::string_view k_hash_equivalence = "hashequiv";  // its directory below that of the data

class HashEquivalence {
 public:
  // What a unihash is given to.
  struct Task {
    std::string method;
    std::string taskhash;
    bool operator==(const Task&) const = default;
  };
  // Told with an outhash, for people; in the order of k_detail_names.
  static constexpr std::size_t k_details = 6;
  static constexpr std::array<std::string_view, k_details> k_detail_names = {
      "owner", "PN", "PV", "PR", "task", "outhash_siginfo"};
  using Details = std::array<std::optional<std::string>, k_details>;
  struct Output {
    Task task;
    std::string outhash;
    std::int64_t created = 0;  // microseconds since 1970; no two are alike
    Details details;
  };
  struct OutputOfTask {
    Output output;
    std::optional<std::string> unihash;
    std::string gc_mark;  // of the unihash
  };
  // Columns and what they have to be: all of them.
  using Where = std::map<std::string, std::string, std::less<>>;
  static constexpr std::array<std::string_view, 11> k_columns = {
      "method", "taskhash", "unihash", "gc_mark", "outhash",        "owner",
      "PN",     "PV",       "PR",      "task",    "outhash_siginfo"};

  // Whether `text` can be part of a key: no NUL in it, and no longer than what hashes and methods are.
  static bool can_be_key(std::string_view text);
  static bool is_unihash(std::string_view text);  // 64 lower-case hexadecimal digits

  // Creates the directory's content when it is empty. Errc::busy when another process has it open. Unless
  // `durability` is none, what was told before a call of sync() survives a power cut.
  // `has_room` (null: always) says whether this many bytes may still be written.
  using HasRoom = std::function<bool(std::uint64_t bytes)>;
  static Result<std::unique_ptr<HashEquivalence>> open(const std::filesystem::path& directory,
                                                       const Clock& clock, Durability durability,
                                                       HasRoom has_room = {});
  ~HashEquivalence();

  // Reading ------------------------------------------------------------------

  // Notes that it was asked for, once a day.
  Result<std::optional<std::string>> unihash(const Task& task);
  Result<bool> has_unihash(std::string_view unihash) const;
  // The oldest output of a task that has a unihash; of the first thousand, where it has more.
  Result<std::optional<OutputOfTask>> output_of(const Task& task) const;
  // The oldest task with that output, of those that have a unihash, or of all. Of many outputs without a
  // unihash (a sweep leaves them) only the first thousand are looked through.
  enum class Which : std::uint8_t { with_unihash, any };
  Result<std::optional<OutputOfTask>> output(std::string_view method, std::string_view outhash,
                                             Which which) const;
  // Exact, by looking at everything.
  struct Counts {
    std::uint64_t unihashes = 0;
    std::uint64_t outhashes = 0;
  };
  Result<Counts> count() const;
  std::uint64_t unihashes() const { return tasks_.load(std::memory_order_relaxed); }  // at once

  // Telling -------------------------------------------------------------------

  // Those who wait at the same time share one sync of the disk.
  Result<void> sync();

  // The unihash that holds for the output's task from now on: the one it has, or that of the oldest other
  // task with this output, or `proposed`. `output.created` is set here. Errc::no_space: nothing
  // was stored.
  Result<std::string> report(Output output, const std::string& proposed);
  // Gives the task this unihash, unless it has one; the one that holds.
  Result<std::string> equate(const Task& task, const std::string& proposed);

  // Makes a copy in the directory beside its own that is called like it and ".backup", of one moment and with
  // hard links, in the place of an earlier one.
  Result<void> back_up();
  std::optional<UnixSeconds> backed_up() const;  // when; nothing: never
  // Before it is opened: puts the copy in the place of a directory that is not there. False: there was no
  // need to, or no copy.
  static Result<bool> restore(const std::filesystem::path& directory);

  // Cleaning up -----------------------------------------------------------------

  // Outputs and unihashes to which all of `where` applies that is a column of theirs; neither, when none
  // is. How many.
  Result<std::uint64_t> remove(const Where& where);
  // Outputs of tasks without a unihash that are older than `before` (microseconds since 1970).
  Result<std::uint64_t> remove_unused_outputs(std::int64_t before);
  // What is marked with the current mark survives a sweep; another mark starts anew. New rows get the
  // current one.
  Result<std::uint64_t> mark(const std::string& mark, const Where& where);
  struct MarkStatus {
    std::uint64_t keep = 0;
    std::uint64_t remove = 0;
    std::optional<std::string> mark;
  };
  Result<MarkStatus> mark_status() const;
  // Makes a copy first. Errc::invalid_argument: that is not the current mark, or nothing has it.
  Result<std::uint64_t> sweep(const std::string& mark);
  // Unihashes of tasks nobody has asked for since `before`, at most `most`.
  Result<std::unordered_set<std::string>> unasked(UnixSeconds before, std::size_t most,
                                                  const std::stop_token& stop) const;
  // Forgets the tasks of these unihashes that nobody has asked for since, and their outputs. How many tasks.
  Result<std::uint64_t> forget(const std::unordered_set<std::string>& unihashes, UnixSeconds before);
  // Takes them for asked for today.
  Result<void> keep(const std::unordered_set<std::string>& unihashes);

 private:
  class State;
  struct Row;  // of a task
  HashEquivalence(std::unique_ptr<State> state, const Clock& clock, Durability durability, HasRoom has_room);

  Result<std::optional<Row>> row(const Task& task) const;
  Result<std::optional<std::string>> equivalent(const Output& output) const;
  Result<std::vector<Task>> tasks_where(const Where& where) const;
  Result<std::vector<std::string>> outputs_where(const Where& where) const;  // keys
  void note_asked(const Task& task);
  Result<void> write(rocksdb::WriteBatch& batch, std::int64_t more_tasks = 0);
  // Unless there is no room.
  Result<void> write_more(rocksdb::WriteBatch& batch, std::int64_t more_tasks = 0);
  Result<std::uint64_t> remove_outputs(std::span<const std::string> keys);
  using Doomed = std::function<bool(const Row& row)>;
  Result<std::uint64_t> remove_tasks(std::span<const Task> tasks, const Doomed& doomed);
  UnixSeconds today() const;

  const std::unique_ptr<State> state_;
  const Clock& clock_;
  const Durability durability_;
  const HasRoom has_room_;
  std::mutex writing_;   // what is written depends on what was read
  std::mutex cleaning_;  // taken before it: marks, sweeps and removals do not mix
  std::mutex backing_up_;
  std::int64_t last_created_ = 0;
  std::atomic<std::uint64_t> tasks_{0};  // changed with writing_ held

  std::mutex syncing_;
  std::condition_variable synced_;
  std::atomic<std::uint64_t> written_{0};  // batches,
  std::uint64_t durable_ = 0;              // those of them that are,
  bool sync_runs_ = false;                 // and more are about to be
};

}  // namespace larder
