// Store, the part that removes many names at once: facts from the index, a plan from
// PrunePlanner, and its execution in steps.
#include <chrono>
#include <thread>

#include "common/tree_rules.hpp"
#include "server/store/prune_planner.hpp"
#include "server/store/store.hpp"

namespace larder {
namespace {

constexpr std::size_t k_step = 64;            // groups between two rests
constexpr std::size_t k_report_every = 1024;  // groups

class Pruner {
 public:
  Pruner(StoreCore& core, const api::PruneRules& rules, const Store::PrunePolicy& policy, std::string actor,
         const Store::PruneReport& report, std::stop_token stop)
      : core_(core),
        rules_(rules),
        policy_(policy),
        actor_(std::move(actor)),
        report_(report),
        stop_(std::move(stop)) {}

  Result<api::PruneEvent> run() {
    const NamespaceConfig* const config = core_.find_namespace(rules_.name_space);
    if (config == nullptr) return Error(Errc::not_found, "there is no namespace '" + rules_.name_space + "'");
    if (rules_.name_space.starts_with('@'))
      return Error(Errc::forbidden, "a snapshot is frozen: remove it, or prune its namespace");
    LARDER_TRY_ASSIGN(const PrunePlan plan, make_plan(*config));
    event_.by_reason = plan.by_reason;
    event_.kept = plan.kept;
    event_.considered = plan.considered;
    if (rules_.list) tell_names(plan);
    if (rules_.apply) LARDER_TRY(apply(plan));
    event_.done = true;
    return event_;
  }

 private:
  Result<PrunePlan> make_plan(const NamespaceConfig& config) {
    PrunePlanner::Facts facts;
    facts.now = core_.clock.now();
    facts.lease = policy_.lease;
    facts.grace = policy_.grace;
    facts.kind = config.kind;
    facts.physical_bytes = core_.index->totals(config.name).physical_bytes;
    facts.is_pinned = [&](const std::string& path) { return core_.pins.holds(config.name + "/" + path); };
    facts.is_in_snapshot = [&, snapshots = core_.snapshots.all()](const std::string& path) {
      return std::any_of(snapshots.begin(), snapshots.end(), [&](const std::string& snapshot) {
        const auto key = ArtifactKey::make("@" + snapshot + "/" + config.name, path);
        const auto row =
            key ? core_.index->name(*key) : Result<std::optional<NameRecord>>(std::optional<NameRecord>());
        return row && *row;
      });
    };
    facts.holders = [&](const Digest& digest) {
      const auto count = core_.objects.count_names(digest);
      return count ? *count : std::uint64_t{0};
    };
    facts.is_charged = [&](const Digest& digest) {
      const auto object = core_.index->object(digest);
      return object && *object && (*object)->charged_to == config.name;
    };
    PrunePlanner planner(rules_, std::move(facts));

    PruneGroup group;
    const std::string prefix = config.name + "/";
    LARDER_TRY(core_.flush_recency());
    LARDER_TRY(core_.index->scan_use(
        prefix, [&](std::string_view text, const NameRecord& name, const RecencyRecord& use) {
          PruneMember member;
          member.path = text.substr(prefix.size());
          member.digest = name.digest;
          member.size = name.size;
          member.stored = name.stored;
          member.used = use.used;
          member.seen = use.seen;
          member.uploader = name.uploader;
          const std::string_view key = group_key(config.kind, member.path);
          if (group.path != key) {
            if (!group.members.empty()) planner.consider(std::move(group));
            group = PruneGroup();
            group.path = key;
          }
          group.members.push_back(std::move(member));
          return !stop_.stop_requested();
        }));
    if (!group.members.empty()) planner.consider(std::move(group));
    if (stop_.stop_requested()) return Error(Errc::cancelled, "pruning was stopped while it was planned");
    return planner.finish();
  }

  void tell_names(const PrunePlan& plan) {
    for (const PlannedGroup& planned : plan.groups) {
      for (const PruneMember& member : planned.group.members) {
        api::PruneEvent event;
        event.path = rules_.name_space + "/" + member.path;
        event.reason = planned.reason;
        event.size = member.size;
        event.last_use = planned.last_use;
        if (report_) report_(event);
      }
    }
  }

  Result<void> apply(const PrunePlan& plan) {
    std::size_t count = 0;
    for (const PlannedGroup& planned : plan.groups) {
      if (stop_.stop_requested())
        return Error(Errc::cancelled, "pruning was stopped; what has gone is in the trash");
      LARDER_TRY(remove_group(planned));
      if (++count % k_step == 0) rest();
      if (report_ && count % k_report_every == 0) report_(event_);
    }
    return {};
  }

  Result<void> remove_group(const PlannedGroup& planned) {
    if (is_pinned_now(planned) || (!rules_.ignore_lease && was_used_since(planned))) {
      ++event_.changed;
      return {};
    }
    bool gone = false;
    for (const PruneMember& member : planned.group.members) {
      const auto key = ArtifactKey::make(rules_.name_space, member.path);
      if (!key) continue;
      if (event_.generation == 0) event_.generation = core_.new_generation();
      StoreCore::Removal removal;
      removal.actor = actor_;
      removal.why = rules_.why.empty() ? "prune: " + std::string(planned.reason) : rules_.why;
      removal.expected = member.digest;
      removal.stored = member.stored;
      removal.generation = event_.generation;
      removal.synced = false;
      const auto removed = core_.remove(*key, removal);
      const bool changed = !removed && (removed.error().code() == Errc::not_found ||
                                        removed.error().code() == Errc::precondition);
      if (changed) continue;
      if (!removed) return removed.error();
      gone = true;
      ++event_.removed.names;
      event_.removed.bytes += member.size;
    }
    if (!gone) ++event_.changed;
    if (!gone) return {};
    ++event_.removed.groups;
    event_.removed.freed += planned.freed;
    return {};
  }

  bool is_pinned_now(const PlannedGroup& planned) const {
    const auto& members = planned.group.members;
    return std::any_of(members.begin(), members.end(), [&](const PruneMember& member) {
      return core_.pins.holds(rules_.name_space + "/" + member.path);
    });
  }

  // Between the plan and now a build may have asked for it.
  bool was_used_since(const PlannedGroup& planned) {
    for (const PruneMember& member : planned.group.members) {
      const auto key = ArtifactKey::make(rules_.name_space, member.path);
      if (!key) continue;
      const RecencyRecord noted = core_.recency.unwritten(core_.index->hash_of(*key));
      const auto written = core_.index->recency(*key);
      const RecencyRecord known = written && *written ? **written : RecencyRecord();
      if (std::max({noted.used, noted.seen, known.used, known.seen}) > planned.last_use) return true;
    }
    return false;
  }

  // Others get the disk and the core in between.
  void rest() {
    using std::chrono::milliseconds;
    constexpr std::uint64_t k_slice = 100;  // a stop is noticed within
    std::uint64_t left = rules_.rate == 0 ? 1 : std::max<std::uint64_t>(1, k_step * 1000 / rules_.rate);
    for (; left > 0 && !stop_.stop_requested(); left -= std::min(left, k_slice))
      std::this_thread::sleep_for(milliseconds(std::min(left, k_slice)));
  }

  StoreCore& core_;
  const api::PruneRules& rules_;
  const Store::PrunePolicy policy_;
  const std::string actor_;
  const Store::PruneReport& report_;
  const std::stop_token stop_;
  api::PruneEvent event_;
};

}  // namespace

Result<api::PruneEvent> Store::prune(const api::PruneRules& rules, const PrunePolicy& policy,
                                     const std::string& actor, const PruneReport& report,
                                     const std::stop_token& stop) {
  return Pruner(*core_, rules, policy, actor, report, stop).run();
}

std::vector<std::string> Store::pins() const {
  return core_->pins.all();
}

Result<std::size_t> Store::pin(const std::vector<std::string>& lines, const std::string& actor) {
  LARDER_TRY_ASSIGN(const std::size_t count, core_->pins.add(lines));
  if (count > 0) LARDER_TRY(core_->tell_ledger(LedgerAction::pin, lines, actor));
  return count;
}

Result<std::size_t> Store::unpin(const std::vector<std::string>& lines, const std::string& actor) {
  LARDER_TRY_ASSIGN(const std::size_t count, core_->pins.remove(lines));
  if (count > 0) LARDER_TRY(core_->tell_ledger(LedgerAction::unpin, lines, actor));
  return count;
}

}  // namespace larder
