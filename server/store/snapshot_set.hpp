// Which snapshots there are, and the namespaces they have something of, in memory: asked for at
// every look-up below one. What is there is what the directory snapshots/ holds. Thread-safe.
#pragma once

#include <algorithm>
#include <map>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace larder {

class SnapshotSet {
 public:
  bool holds(std::string_view name) const {
    const std::shared_lock lock(mutex_);
    return spaces_.count(name) > 0;
  }
  bool holds(std::string_view name, std::string_view name_space) const {
    const std::shared_lock lock(mutex_);
    const auto found = spaces_.find(name);
    return found != spaces_.end() && std::ranges::count(found->second, name_space) > 0;
  }
  std::vector<std::string> all() const {
    const std::shared_lock lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, spaces] : spaces_) names.push_back(name);
    return names;
  }
  void add(std::string name, std::vector<std::string> spaces) {
    const std::unique_lock lock(mutex_);
    spaces_.insert_or_assign(std::move(name), std::move(spaces));
  }
  // Its namespaces.
  std::vector<std::string> remove(const std::string& name) {
    const std::unique_lock lock(mutex_);
    const auto removed = spaces_.extract(name);
    return removed ? removed.mapped() : std::vector<std::string>();
  }

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::string, std::vector<std::string>, std::less<>> spaces_;  // by name
};

}  // namespace larder
