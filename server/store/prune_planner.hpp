// Which groups a prune removes: rules and facts in, a plan out. No disk, no clock,
// no index. Groups are considered one at a time, in any order; only those that the
// rules mean are kept in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/clock.hpp"
#include "common/digest.hpp"
#include "common/namespace_kind.hpp"
#include "common/prune_api.hpp"
#include "server/store/plan_table.hpp"

namespace larder {

struct PruneMember {
  std::string path;  // below the namespace
  Digest digest;
  std::uint64_t size = 0;  // bytes
  UnixSeconds stored = 0;
  UnixSeconds used = 0;  // last read; 0: not since anybody remembers
  UnixSeconds seen = 0;  // last asked for
  std::string uploader;
};

// An archive with its .siginfo and .sig, or any other name alone.
struct PruneGroup {
  std::string path;  // of the archive, whether or not it is there
  std::vector<PruneMember> members;
};

struct PrunePlan {
  // In the order to remove them: oldest use first. `freed`: bytes on disk, given that all before it
  // in the plan go, too.
  PlanTable table;
  std::string_view reason;  // why they go, as in api::PruneEvent; a literal
  std::map<std::string, api::PruneSum> by_reason;
  std::map<std::string, std::uint64_t> kept;
  std::uint64_t considered = 0;
  std::uint64_t listed = 0;  // groups that a list to keep names, meant by the rules or not
  // When the first of those that stay for their lease or their youth may go; 0: there are none.
  UnixSeconds next_chance = 0;
};

class PrunePlanner {
 public:
  struct Facts {
    UnixSeconds now = 0;
    std::int64_t lease = 0;  // seconds for which what was asked for stays
    std::int64_t grace = 0;  // seconds for which what was stored stays
    NamespaceKind kind = NamespaceKind::generic;
    std::uint64_t physical_bytes = 0;  // what the namespace takes
    std::function<bool(const std::string& path)> is_pinned;
    std::function<bool(const std::string& path)> is_in_snapshot;
    // How many names, snapshots included, hold a content.
    std::function<std::uint64_t(const Digest&)> holders;
    // Whether it is this namespace that a content is counted for.
    std::function<bool(const Digest&)> is_charged;
  };

  PrunePlanner(api::PruneRules rules, Facts facts);

  void consider(PruneGroup group);
  PrunePlan finish();

 private:
  // Of what only the newest few stay: one recipe, architecture, task, format version, host.
  using Class = std::string;

  bool is_meant(const PruneGroup& group) const;
  bool is_meant(const PruneMember& member) const;  // by the rules about single names
  bool is_due(const PruneGroup& group, UnixSeconds last_use) const;
  struct Protection {
    std::string_view reason;  // empty: none
    UnixSeconds until = 0;    // 0: for as long as it is asked for
  };
  Protection protection(const PruneGroup& group) const;
  bool is_listed(const PruneGroup& group) const;
  std::string_view reason() const;
  void drop_newest();
  void account();
  // Names that hold a content and are not in the plan up to here; those that are the only one are not in it.
  using Left = std::unordered_map<Digest, std::uint64_t>;
  bool frees(PlanTable::Member& member, Left& left) const;
  void leave_out_what_frees_nothing(const Left& left);

  const api::PruneRules rules_;
  const Facts facts_;
  std::unordered_set<std::string> keep_hashes_;
  std::unordered_set<std::string> keep_names_;
  std::map<Class, std::set<std::pair<UnixSeconds, std::string>>> newest_;
  PrunePlan plan_;
};

UnixSeconds last_use_of(const PruneGroup& group);

}  // namespace larder
