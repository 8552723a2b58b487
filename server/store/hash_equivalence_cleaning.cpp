// HashEquivalence, the part about what goes: by conditions, by marks, by age.
#include "server/store/hash_equivalence_state.hpp"

namespace larder {

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
