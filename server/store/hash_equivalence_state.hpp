// What the database of hash equivalences is made of inside: keys, values, column families. For
// hash_equivalence*.cpp alone.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/slice.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "server/store/hash_equivalence.hpp"

namespace larder {

namespace hash_equivalence {

// Keys are fields with a NUL between them; values begin with a version and have one behind each field.
inline constexpr char k_end = '\0';
inline constexpr std::string_view k_version = "1";
inline constexpr std::string_view k_mark_key = "gc-mark";
inline constexpr std::string_view k_count_key = "tasks";
inline constexpr std::string_view k_last_key = "last-created";  // so that order outlives clocks that go back
inline constexpr std::size_t k_most_key = 512;                  // bytes of a field
inline constexpr std::size_t k_most_seen = 1000;                // outputs, for one that has a unihash
inline constexpr std::uint64_t k_most_removed = 10'000;         // rows passed over on the way to one
inline constexpr std::size_t k_step = 1024;                     // rows changed together
inline constexpr UnixSeconds k_day = 24 * 60 * 60;
inline constexpr std::int64_t k_microseconds = 1'000'000;  // of a second

inline rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view view(const rocksdb::Slice& text) {
  return {text.data(), text.size()};
}

inline Error failed(std::string_view doing, const rocksdb::Status& status) {
  const std::string text = "cannot " + std::string(doing) + " the hash equivalences: " + status.ToString();
  if (status.IsNoSpace()) return Error(Errc::no_space, text);
  if (status.IsCorruption()) return Error(Errc::corrupt, text);
  return Error(Errc::io, text);
}

inline Error damaged(std::string_view what) {
  return Error(Errc::corrupt, "a row of the hash equivalences (" + std::string(what) + ") cannot be read");
}

inline std::string joined(std::initializer_list<std::string_view> fields) {
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
inline std::string padded(std::int64_t created) {
  std::string digits = std::to_string(std::max<std::int64_t>(created, 0));
  constexpr std::size_t k_digits = 19;
  return std::string(k_digits - std::min(k_digits, digits.size()), '0') + digits;
}

inline std::string key_of(const HashEquivalence::Task& task) {
  return joined({task.method, task.taskhash});
}
inline std::string key_of(const HashEquivalence::Output& output) {
  return joined({output.task.method, output.task.taskhash, output.outhash});
}
inline std::string order_key(const HashEquivalence::Output& output) {
  return joined({output.task.method, output.outhash, padded(output.created), output.task.taskhash});
}
inline std::string name_key(std::string_view unihash, const HashEquivalence::Task& task) {
  return joined({unihash, task.method, task.taskhash});
}

// "-" for what was not told, "+text" for what was.
inline std::string encode(const HashEquivalence::Output& output) {
  std::string text = joined({k_version, std::to_string(output.created)});
  for (const auto& each : output.details) {
    text.append(each ? "+" + *each : "-");
    text.push_back(k_end);
  }
  return text;
}

inline std::optional<HashEquivalence::Output> decode_output(std::string_view key, std::string_view value) {
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

}  // namespace hash_equivalence

using namespace hash_equivalence;

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

}  // namespace larder
