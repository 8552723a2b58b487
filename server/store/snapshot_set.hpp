// Which snapshots there are, and the namespaces they have something of, in memory: asked for at
// every look-up below one. What is there is what the directory snapshots/ holds. Thread-safe.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace larder {

class SnapshotSet {
 public:
  // Who has it is alone in making, removing or clearing away the snapshot of this name.
  class Turn {
   public:
    Turn(SnapshotSet* set, std::string name) : set_(set), name_(std::move(name)) {}
    Turn(Turn&& other) noexcept : set_(std::exchange(other.set_, nullptr)), name_(std::move(other.name_)) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (set_ != nullptr) set_->end_turn(name_);
    }

   private:
    SnapshotSet* set_;
    std::string name_;
  };

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
  // Nothing while somebody else has it.
  std::optional<Turn> take_turn(const std::string& name) {
    const std::unique_lock lock(mutex_);
    if (!taken_.insert(name).second) return std::nullopt;
    return std::optional<Turn>(std::in_place, this, name);
  }

 private:
  void end_turn(const std::string& name) {
    const std::unique_lock lock(mutex_);
    taken_.erase(name);
  }

  mutable std::shared_mutex mutex_;
  std::map<std::string, std::vector<std::string>, std::less<>> spaces_;  // by name
  std::set<std::string> taken_;
};

}  // namespace larder
