// What no prune takes: names and patterns of names, kept in <data>/pins, one a line, so
// that they outlive the index. Thread-safe; changing them waits for the disk.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/result.hpp"
#include "server/store/file_system.hpp"

namespace larder {

class Pins {
 public:
  explicit Pins(FileSystem& disk) : disk_(disk) {}

  Result<void> load();  // what the file says; none when there is no file

  // "<namespace>/<path>", in which '*' and '?' are patterns (common/glob.hpp).
  bool holds(std::string_view key) const;
  std::vector<std::string> all() const;  // sorted

  // How many were new, or were there. Errc::invalid_name for a line that can match no name.
  Result<std::size_t> add(const std::vector<std::string>& lines);
  Result<std::size_t> remove(const std::vector<std::string>& lines);

 private:
  using Lines = std::unordered_set<std::string>;
  Result<void> save(const Lines& names, const Lines& patterns);

  FileSystem& disk_;
  mutable std::mutex mutex_;
  Lines names_;     // a release's list may have a hundred thousand
  Lines patterns_;  // few
};

}  // namespace larder
