// Which snapshots there are, in memory: asked for at every look-up below one. What is
// there is what the directory snapshots/ holds. Thread-safe.
#pragma once

#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace larder {

class SnapshotSet {
 public:
  bool holds(std::string_view name) const {
    const std::shared_lock lock(mutex_);
    return names_.count(name) > 0;
  }
  std::vector<std::string> all() const {
    const std::shared_lock lock(mutex_);
    return {names_.begin(), names_.end()};
  }
  void add(std::string name) {
    const std::unique_lock lock(mutex_);
    names_.insert(std::move(name));
  }
  void remove(const std::string& name) {
    const std::unique_lock lock(mutex_);
    names_.erase(name);
  }

 private:
  mutable std::shared_mutex mutex_;
  std::set<std::string, std::less<>> names_;
};

}  // namespace larder
