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
  if (is_listed(group)) ++plan_.listed;
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
  const Protection kept = protection(group);
  if (!kept.reason.empty()) {
    ++plan_.kept[std::string(kept.reason)];
    if (kept.until != 0 && (plan_.next_chance == 0 || kept.until < plan_.next_chance))
      plan_.next_chance = kept.until;
    return;
  }
  plan_.table.add_group(group.path, last_use);
  for (const PruneMember& member : group.members)
    plan_.table.add_member(member.path, member.digest, member.size, member.stored);
}

bool PrunePlanner::is_meant(const PruneGroup& group) const {
  if (asks_for_sstate(rules_)) {
    const auto name = parse_sstate_name(group.path);
    if (!name || !is_one_of(rules_.recipes, name->pn) || !is_one_of(rules_.architectures, name->pkgarch) ||
        !is_one_of(rules_.tasks, name->task) || !is_one_of(rules_.versions, name->version))
      return false;
  }
  // One member that all of them hold for: an old archive is not new by a signature that somebody else stored.
  if (std::none_of(group.members.begin(), group.members.end(),
                   [&](const PruneMember& member) { return is_meant(member); }))
    return false;
  return !rules_.not_in_snapshot ||
         std::none_of(group.members.begin(), group.members.end(),
                      [&](const PruneMember& member) { return facts_.is_in_snapshot(member.path); });
}

bool PrunePlanner::is_meant(const PruneMember& member) const {
  const auto matches = [&](const std::string& pattern) { return matches_glob(pattern, member.path); };
  if (!rules_.match.empty() && std::none_of(rules_.match.begin(), rules_.match.end(), matches)) return false;
  if (!rules_.uploaders.empty() && !is_by_one_of(rules_.uploaders, member.uploader)) return false;
  return !rules_.uploaded_since || member.stored >= *rules_.uploaded_since;
}

bool PrunePlanner::is_due(const PruneGroup& group, UnixSeconds last_use) const {
  if (rules_.unused_for && last_use > facts_.now - *rules_.unused_for) return false;
  if (!rules_.older_than) return true;
  return std::all_of(group.members.begin(), group.members.end(), [&](const PruneMember& member) {
    return member.stored <= facts_.now - *rules_.older_than;
  });
}

// Whether a list to keep names it, or a member of it.
bool PrunePlanner::is_listed(const PruneGroup& group) const {
  if (keep_hashes_.empty() && keep_names_.empty()) return false;
  const auto name = keep_hashes_.empty() ? std::nullopt : parse_sstate_name(group.path);
  if (name && keep_hashes_.count(std::string(name->hash)) > 0) return true;
  if (keep_names_.count(group.path) > 0) return true;
  return std::any_of(group.members.begin(), group.members.end(),
                     [&](const PruneMember& member) { return keep_names_.count(member.path) > 0; });
}

PrunePlanner::Protection PrunePlanner::protection(const PruneGroup& group) const {
  if (is_listed(group)) return {"listed"};
  UnixSeconds asked = 0;
  UnixSeconds stored = 0;
  for (const PruneMember& member : group.members) {
    if (facts_.is_pinned(member.path)) return {"pinned"};
    asked = std::max({asked, member.used, member.seen});
    stored = std::max(stored, member.stored);
  }
  if (rules_.ignore_lease) return {};
  // BitBake turns red when what answered its HEAD is gone at the GET.
  if (asked > facts_.now - facts_.lease) return {"leased", asked + facts_.lease};
  if (stored > facts_.now - facts_.grace) return {"young", stored + facts_.grace};
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
  std::erase_if(plan_.table.groups(),
                [&](const PlanTable::Group& group) { return stay.count(group.path) > 0; });
}

PrunePlan PrunePlanner::finish() {
  drop_newest();
  auto& groups = plan_.table.groups();
  std::sort(groups.begin(), groups.end(), [](const PlanTable::Group& one, const PlanTable::Group& other) {
    return one.last_use != other.last_use ? one.last_use < other.last_use
                                          : std::string_view(one.path) < other.path;
  });
  plan_.reason = reason();
  account();
  return std::move(plan_);
}

// Whether the content goes with this name.
bool PrunePlanner::frees(PlanTable::Member& member, Left& left) const {
  if (member.size == 0) return false;
  auto found = left.find(member.digest);
  if (found == left.end()) {
    const std::uint64_t holders = facts_.holders(member.digest);
    member.is_sole = holders == 1;
    if (member.is_sole) return true;
    found = left.emplace(member.digest, holders).first;
  }
  return found->second != 0 && --found->second == 0;
}

// What each group frees, given that those before it go: a content goes with its last holder. For a
// size, the plan ends where the namespace is small enough, and leaves out what frees nothing: what a
// snapshot or another namespace holds as well would go for nothing.
void PrunePlanner::account() {
  Left left;
  PlanTable& table = plan_.table;
  std::uint64_t takes = facts_.physical_bytes;
  std::size_t count = 0;
  for (PlanTable::Group& group : table.groups()) {
    if (rules_.max_size && takes <= *rules_.max_size) break;
    ++count;
    for (std::uint32_t i = 0; i < group.count; ++i) {
      PlanTable::Member& member = table.member(group, i);
      if (!frees(member, left)) continue;
      group.freed += member.size;
      if (rules_.max_size && facts_.is_charged(member.digest)) takes -= std::min(takes, member.size);
    }
  }
  table.groups().resize(count);
  if (rules_.max_size) leave_out_what_frees_nothing(left);
  if (table.groups().empty()) return;
  api::PruneSum& sum = plan_.by_reason[std::string(plan_.reason)];
  for (const PlanTable::Group& group : table.groups()) {
    ++sum.groups;
    sum.freed += group.freed;
    sum.names += group.count;
    for (std::uint32_t i = 0; i < group.count; ++i) sum.bytes += table.member(group, i).size;
  }
}

void PrunePlanner::leave_out_what_frees_nothing(const Left& left) {
  const PlanTable& table = plan_.table;
  std::erase_if(plan_.table.groups(), [&](const PlanTable::Group& group) {
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const PlanTable::Member& member = table.member(group, i);
      if (member.size == 0) continue;
      const auto shared = left.find(member.digest);
      const bool goes = shared == left.end() ? member.is_sole : shared->second == 0;
      if (goes && facts_.is_charged(member.digest)) return false;
    }
    return true;
  });
}

}  // namespace larder
