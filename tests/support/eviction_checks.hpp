// What has to hold after names went for good because space was needed, told by what was
// there before.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "server/store/store.hpp"
#include "tests/support/catch.hpp"

namespace larder::eviction {

struct Held {
  std::string content;
  UnixSeconds stored = 0;
  UnixSeconds used = 0;  // read or asked for
};
using Names = std::map<std::string, Held>;

inline UnixSeconds last_use(const Held& held) {
  return std::max(held.stored, held.used);
}

// An archive and its .siginfo are one.
inline std::string_view group_of(std::string_view name) {
  constexpr std::string_view k_siginfo = ".siginfo";
  return name.ends_with(k_siginfo) ? name.substr(0, name.size() - k_siginfo.size()) : name;
}

struct Eviction {
  std::string name_space;
  std::uint64_t size = 0;  // that was to be reached
  Store::PrunePolicy policy;
  UnixSeconds now = 0;
  Names before;                                // all names that were there
  std::vector<std::string> gone;               // of them
  std::set<std::string> pinned;                // names
  std::set<std::string> kept;                  // contents that trash or snapshots have
  std::map<std::string, std::string> charged;  // contents, and the namespace that each counts for
  std::uint64_t bytes_before = 0;              // of name_space
  std::uint64_t bytes_after = 0;
};

class Check {
 public:
  explicit Check(const Eviction& eviction) : eviction_(eviction) {
    const std::set<std::string> gone(eviction.gone.begin(), eviction.gone.end());
    REQUIRE(gone.size() == eviction.gone.size());
    for (const auto& [name, held] : eviction.before) {
      Group& group = groups_[std::string(group_of(name))];
      group.is_ours = name.starts_with(eviction.name_space + "/");
      group.goes += gone.contains(name) ? 1 : 0;
      group.contents.push_back(held.content);
      group.last_use = std::max(group.last_use, last_use(held));
      group.stays = group.stays || stays(name, held);
    }
  }

  void run() const {
    const Group* newest = nullptr;
    for (const auto& [path, group] : groups_) {
      INFO(path);
      if (group.goes == 0) continue;
      REQUIRE(group.is_ours);
      REQUIRE(group.goes == group.contents.size());
      REQUIRE_FALSE(group.stays);
      if (newest == nullptr || group.last_use >= newest->last_use) newest = &group;
    }
    if (newest != nullptr) check_no_more_went(*newest);
    for (const auto& [path, group] : groups_) {
      if (!group.is_ours || group.goes > 0 || group.stays) continue;
      INFO(path << " could have gone");
      if (eviction_.bytes_after > eviction_.size) REQUIRE(frees_nothing(path, Others::that_stay));
      if (newest != nullptr && group.last_use < newest->last_use) REQUIRE(frees_nothing(path, Others::any));
    }
  }

 private:
  struct Group {
    bool is_ours = false;
    bool stays = false;  // pinned, leased or young
    std::size_t goes = 0;
    std::vector<std::string> contents;  // one for each name
    UnixSeconds last_use = 0;
  };

  bool stays(const std::string& name, const Held& held) const {
    return eviction_.pinned.contains(name) || held.used > eviction_.now - eviction_.policy.lease ||
           held.stored > eviction_.now - eviction_.policy.grace;
  }

  // Without the last one the size would not have been reached.
  void check_no_more_went(const Group& newest) const {
    std::uint64_t bytes = 0;
    for (const std::string& each : std::set(newest.contents.begin(), newest.contents.end()))
      bytes += each.size();
    REQUIRE(eviction_.bytes_before > eviction_.size);
    REQUIRE(eviction_.bytes_after < eviction_.bytes_before);
    REQUIRE(eviction_.bytes_after + bytes > eviction_.size);
  }

  // Whether nothing counts less once this group is gone, because others have what it has. Those that
  // might have gone as well are no reason, as long as not enough went.
  enum class Others { any, that_stay };
  bool frees_nothing(const std::string& path, Others others) const {
    const Group& group = groups_.at(path);
    return std::all_of(group.contents.begin(), group.contents.end(), [&](const std::string& content) {
      if (eviction_.charged.at(content) != eviction_.name_space || eviction_.kept.contains(content))
        return true;
      return std::any_of(groups_.begin(), groups_.end(), [&](const auto& entry) {
        const Group& other = entry.second;
        if (entry.first == path || other.goes > 0) return false;
        if (others == Others::that_stay && other.is_ours && !other.stays) return false;
        return std::find(other.contents.begin(), other.contents.end(), content) != other.contents.end();
      });
    });
  }

  const Eviction& eviction_;
  std::map<std::string, Group> groups_;
};

}  // namespace larder::eviction
