#include "server/store/directory_sync.hpp"

namespace larder {

Result<void> DirectorySync::sync(const std::vector<std::string>& changed) {
  if (durability_ == Durability::none || changed.empty()) return {};
  std::uint64_t removals = 0;
  const std::vector<std::string> directories = with_unsynced_parents(changed, removals);
  if (durability_ == Durability::batch) LARDER_TRY(group_.sync(directories));
  if (durability_ == Durability::each) {
    for (const std::string& directory : directories) LARDER_TRY(sync_nearest_directory(disk_, directory));
  }
  remember(changed, removals);
  return {};
}

std::vector<std::string> DirectorySync::with_unsynced_parents(const std::vector<std::string>& changed,
                                                              std::uint64_t& removals) {
  std::vector<std::string> all;
  std::unordered_set<std::string> added;
  const auto add = [&](const std::string& directory) {
    if (added.insert(directory).second) all.push_back(directory);
  };
  const std::lock_guard lock(mutex_);
  removals = removals_;
  for (std::string directory : changed) {
    add(directory);
    while (!directory.empty() && !reachable_.contains(directory)) {
      directory = parent_of(directory);
      add(directory);
    }
  }
  return all;
}

void DirectorySync::remember(const std::vector<std::string>& synced, std::uint64_t removals) {
  constexpr std::size_t k_most = 1 << 18;  // a bound on memory, far above sstate's 65,536 directories
  const std::lock_guard lock(mutex_);
  if (removals != removals_) return;
  if (reachable_.size() > k_most) reachable_.clear();
  for (std::string directory : synced) {
    while (!directory.empty() && reachable_.insert(directory).second) directory = parent_of(directory);
  }
}

void DirectorySync::forget(const std::string& path) {
  const std::lock_guard lock(mutex_);
  reachable_.erase(path);
  ++removals_;
}

void DirectorySync::remove_empty(std::string path, const std::string& root) {
  while (path.size() > root.size()) {
    forget(path);
    if (!disk_.remove_directory(path)) return;
    forget(path);
    path = parent_of(path);
  }
}

}  // namespace larder
