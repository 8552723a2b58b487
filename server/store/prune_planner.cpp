#include "server/store/prune_planner.hpp"

#include <algorithm>

#include "common/actor.hpp"
#include "common/glob.hpp"
#include "common/sstate_name.hpp"
#include "common/tree_rules.hpp"

namespace larder {
namespace {

UnixSeconds last_use_of(const PruneMember& member) {
  return std::max({member.stored, member.used, member.seen});
}

bool is_one_of(const std::vector<std::string>& wanted, std::string_view value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

bool is_by_one_of(const std::vector<std::string>& wanted, std::string_view uploader) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](const std::string& each) { return means_actor(each, uploader); });
}

bool asks_for_sstate(const api::PruneRules& rules) {
  return !rules.recipes.empty() || !rules.architectures.empty() || !rules.tasks.empty() ||
         !rules.versions.empty();
}

}  // namespace

UnixSeconds last_use_of(const PruneGroup& group) {
  UnixSeconds last = 0;
  for (const PruneMember& member : group.members) last = std::max(last, last_use_of(member));
  return last;
}

PrunePlanner::PrunePlanner(api::PruneRules rules, Facts facts)
    : rules_(std::move(rules)),
      facts_(std::move(facts)),
      keep_hashes_(rules_.keep_hashes.begin(), rules_.keep_hashes.end()),
      keep_names_(rules_.keep_names.begin(), rules_.keep_names.end()) {}

void PrunePlanner::consider(PruneGroup group) {
  ++plan_.considered;
  const UnixSeconds last_use = last_use_of(group);
  const auto name = parse_sstate_name(group.path);
  if (rules_.newest && name) {
    // One version of the format and one host beside another: both are needed, each by its release.
    Class key;
    for (const std::string_view part : {name->pn, name->pkgarch, name->task, name->version, name->extra})
      key.append(part).append(1, '|');
    auto& newest = newest_[key];
    newest.emplace(last_use, group.path);
    if (newest.size() > *rules_.newest) newest.erase(newest.begin());
  }
  if (rules_.newest && !name) return;  // nothing says what it would be the newest of
  if (!is_meant(group) || !is_due(group, last_use)) return;
  if (rules_.keep_siginfo && group_role(facts_.kind, group.path) == GroupRole::archive)
    std::erase_if(group.members, [&](const PruneMember& member) {
      return group_role(facts_.kind, member.path) == GroupRole::siginfo;
    });
  if (group.members.empty()) return;
  const std::string_view kept = protection(group);
  if (!kept.empty()) {
    ++plan_.kept[std::string(kept)];
    return;
  }
  PlannedGroup planned;
  planned.group = std::move(group);
  planned.last_use = last_use;
  planned.reason = reason();
  plan_.groups.push_back(std::move(planned));
}

bool PrunePlanner::is_meant(const PruneGroup& group) const {
  if (asks_for_sstate(rules_)) {
    const auto name = parse_sstate_name(group.path);
    if (!name || !is_one_of(rules_.recipes, name->pn) || !is_one_of(rules_.architectures, name->pkgarch) ||
        !is_one_of(rules_.tasks, name->task) || !is_one_of(rules_.versions, name->version))
      return false;
  }
  const auto any = [&](const auto& holds) {
    return std::any_of(group.members.begin(), group.members.end(), holds);
  };
  const auto all = [&](const auto& holds) {
    return std::all_of(group.members.begin(), group.members.end(), holds);
  };
  if (!rules_.match.empty() && !any([&](const PruneMember& member) {
        return std::any_of(rules_.match.begin(), rules_.match.end(),
                           [&](const std::string& pattern) { return matches_glob(pattern, member.path); });
      }))
    return false;
  if (!rules_.uploaders.empty() &&
      !any([&](const PruneMember& member) { return is_by_one_of(rules_.uploaders, member.uploader); }))
    return false;
  if (rules_.uploaded_since &&
      !any([&](const PruneMember& member) { return member.stored >= *rules_.uploaded_since; }))
    return false;
  return !rules_.not_in_snapshot ||
         all([&](const PruneMember& member) { return !facts_.is_in_snapshot(member.path); });
}

bool PrunePlanner::is_due(const PruneGroup& group, UnixSeconds last_use) const {
  if (rules_.unused_for && last_use > facts_.now - *rules_.unused_for) return false;
  if (!rules_.older_than) return true;
  return std::all_of(group.members.begin(), group.members.end(), [&](const PruneMember& member) {
    return member.stored <= facts_.now - *rules_.older_than;
  });
}

std::string_view PrunePlanner::protection(const PruneGroup& group) const {
  const auto name = parse_sstate_name(group.path);
  if (name && keep_hashes_.count(std::string(name->hash)) > 0) return "listed";
  if (keep_names_.count(group.path) > 0) return "listed";
  UnixSeconds asked = 0;
  UnixSeconds stored = 0;
  for (const PruneMember& member : group.members) {
    if (keep_names_.count(member.path) > 0) return "listed";
    if (facts_.is_pinned(member.path)) return "pinned";
    asked = std::max({asked, member.used, member.seen});
    stored = std::max(stored, member.stored);
  }
  if (rules_.ignore_lease) return {};
  // BitBake turns red when what answered its HEAD is gone at the GET.
  if (asked > facts_.now - facts_.lease) return "leased";
  if (stored > facts_.now - facts_.grace) return "young";
  return {};
}

std::string_view PrunePlanner::reason() const {
  if (rules_.max_size) return "oversize";
  if (rules_.newest) return "superseded";
  if (rules_.unused_for) return "unused";
  if (rules_.older_than) return "old";
  return "selected";
}

void PrunePlanner::drop_newest() {
  if (!rules_.newest) return;
  std::unordered_set<std::string> stay;
  for (const auto& [key, groups] : newest_) {
    for (const auto& [last_use, path] : groups) stay.insert(path);
  }
  std::erase_if(plan_.groups,
                [&](const PlannedGroup& planned) { return stay.count(planned.group.path) > 0; });
}

PrunePlan PrunePlanner::finish() {
  drop_newest();
  std::sort(plan_.groups.begin(), plan_.groups.end(), [](const PlannedGroup& one, const PlannedGroup& other) {
    return std::tie(one.last_use, one.group.path) < std::tie(other.last_use, other.group.path);
  });
  account();
  return std::move(plan_);
}

// What each group frees, given that those before it go: a content goes with its last holder. For a
// size, the plan ends where the namespace is small enough, and leaves out what frees nothing: what a
// snapshot or another namespace holds as well would go for nothing.
void PrunePlanner::account() {
  std::map<Digest, std::uint64_t> left;  // holders that are not in the plan up to here
  std::uint64_t takes = facts_.physical_bytes;
  std::size_t count = 0;
  for (PlannedGroup& planned : plan_.groups) {
    if (rules_.max_size && takes <= *rules_.max_size) break;
    ++count;
    for (const PruneMember& member : planned.group.members) {
      if (member.size == 0) continue;
      const auto [found, fresh] = left.try_emplace(member.digest, 0);
      if (fresh) found->second = facts_.holders(member.digest);
      if (found->second == 0 || --found->second > 0) continue;
      planned.freed += member.size;
      if (rules_.max_size && facts_.is_charged(member.digest)) takes -= std::min(takes, member.size);
    }
  }
  plan_.groups.resize(count);
  if (rules_.max_size)
    std::erase_if(plan_.groups, [&](const PlannedGroup& planned) {
      return std::none_of(
          planned.group.members.begin(), planned.group.members.end(), [&](const PruneMember& member) {
            return member.size > 0 && left.at(member.digest) == 0 && facts_.is_charged(member.digest);
          });
    });
  for (const PlannedGroup& planned : plan_.groups) {
    api::PruneSum& sum = plan_.by_reason[std::string(planned.reason)];
    ++sum.groups;
    sum.freed += planned.freed;
    for (const PruneMember& member : planned.group.members) {
      ++sum.names;
      sum.bytes += member.size;
    }
  }
}

}  // namespace larder
