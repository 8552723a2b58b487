#include "server/store/group_sync.hpp"

namespace larder {

Result<void> GroupSync::sync(const std::vector<std::string>& directories) {
  std::unique_lock lock(mutex_);
  const std::shared_ptr<Group> mine = gathering_;
  mine->directories.insert(directories.begin(), directories.end());
  changed_.wait(lock, [&] { return mine->finished || !syncing_; });
  if (mine->finished) return mine->outcome;

  // Nobody syncs: this thread does, for everybody who has gathered.
  syncing_ = true;
  gathering_ = std::make_shared<Group>();
  lock.unlock();
  Result<void> outcome = sync_now(mine->directories);
  lock.lock();
  syncing_ = false;
  mine->finished = true;
  mine->outcome = outcome;
  changed_.notify_all();
  return outcome;
}

Result<void> GroupSync::sync_now(const std::set<std::string>& directories) {
  // One syncfs costs about as much as three directory syncs, but flushes
  // other people's data, too; below that, only what was asked for.
  constexpr std::size_t k_few = 3;
  if (directories.size() > k_few) return disk_.sync_all();
  for (const std::string& directory : directories) LARDER_TRY(sync_nearest_directory(disk_, directory));
  return {};
}

}  // namespace larder
