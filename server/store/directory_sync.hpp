// Makes new names durable by the store's policy. A name survives a power cut
// when its directory was synced, and the directory's own name when the one
// above was; whoever made a directory may not have synced that yet, or have failed
// to. So the whole chain is synced once for each directory, and remembered.
#pragma once

#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/result.hpp"
#include "server/config.hpp"
#include "server/store/file_system.hpp"
#include "server/store/group_sync.hpp"

namespace larder {

class DirectorySync {
 public:
  DirectorySync(FileSystem& disk, Durability durability)
      : disk_(disk), durability_(durability), group_(disk) {}

  // The entries that `changed` directories have now, and the way to them.
  Result<void> sync(const std::vector<std::string>& changed);

  // Removes `path` and the directories above it, up to but without `root`, as far as they are empty.
  void remove_empty(std::string path, const std::string& root);

 private:
  std::vector<std::string> with_unsynced_parents(const std::vector<std::string>& changed,
                                                 std::uint64_t& removals);
  void remember(const std::vector<std::string>& synced, std::uint64_t removals);
  void forget(const std::string& path);

  FileSystem& disk_;
  const Durability durability_;
  GroupSync group_;
  std::mutex mutex_;
  std::unordered_set<std::string> reachable_;  // directories whose own names are durable
  std::uint64_t removals_ = 0;                 // what was synced across a removal is not remembered
};

}  // namespace larder
