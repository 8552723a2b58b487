// Store, the part that removes many names at once: facts from the index, a plan from
// PrunePlanner, and its execution in steps.
#include <chrono>
#include <thread>
#include <utility>

#include "common/tree_rules.hpp"
#include "server/store/prune_planner.hpp"
#include "server/store/store.hpp"

namespace larder {
namespace {

constexpr std::size_t k_step = 128;           // names that go at once, or a group more; then comes a rest
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
    const bool has_lists = !rules_.keep_hashes.empty() || !rules_.keep_names.empty();
    if (has_lists && plan.listed == 0 && plan.considered > 0)
      return Error(Errc::invalid_argument,
                   "of what is to be kept, nothing is in " + rules_.name_space +
                       ": this list would keep nothing, and was probably made for something else");
    event_.by_reason = plan.by_reason;
    event_.kept = plan.kept;
    event_.considered = plan.considered;
    event_.next_chance = plan.next_chance;
    reason_ = plan.reason;
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
    for (const PlanTable::Group& group : plan.table.groups()) {
      for (std::uint32_t i = 0; i < group.count; ++i) {
        const PlanTable::Member& member = plan.table.member(group, i);
        api::PruneEvent event;
        event.path = rules_.name_space + "/" + PlanTable::path_of(group, member);
        event.reason = plan.reason;
        event.size = member.size;
        event.last_use = group.last_use;
        if (report_) report_(event);
        if (stop_.stop_requested()) return;
      }
    }
  }

  Result<void> apply(const PrunePlan& plan) {
    std::size_t count = 0;
    for (const PlanTable::Group& group : plan.table.groups()) {
      if (stop_.stop_requested()) {
        LARDER_TRY(remove_step());
        return Error(Errc::cancelled, rules_.no_trash ? "pruning was stopped; what has gone is gone"
                                                      : "pruning was stopped; what has gone is in the trash");
      }
      take(plan.table, group);
      if (step_.size() >= k_step) LARDER_TRY(remove_step());
      if (report_ && ++count % k_report_every == 0) report_(event_);
    }
    return remove_step();
  }

  // Into the next step, unless it was pinned or used since it was planned.
  void take(const PlanTable& table, const PlanTable::Group& group) {
    const std::size_t first = step_.size();
    bool stays = false;
    for (std::uint32_t i = 0; i < group.count && !stays; ++i) {
      const PlanTable::Member& member = table.member(group, i);
      auto key = ArtifactKey::make(rules_.name_space, PlanTable::path_of(group, member));
      if (!key) continue;
      stays = core_.pins.holds(key->str()) || (!rules_.ignore_lease && was_used_since(*key, group.last_use));
      step_.push_back({std::move(*key), member.digest, member.stored});
      sizes_.push_back(member.size);
    }
    if (!stays) return groups_.push_back({step_.size(), group.freed});
    ++event_.changed;
    step_.erase(step_.begin() + static_cast<std::ptrdiff_t>(first), step_.end());
    sizes_.resize(first);
  }

  // A removal and its ledger line each, but one write of the index for all.
  Result<void> remove_step() {
    if (step_.empty()) return {};
    StoreCore::Removal removal;
    removal.actor = actor_;
    const bool kept = !rules_.no_trash;
    if (kept && event_.generation == 0) event_.generation = core_.new_generation();
    removal.generation = event_.generation;
    std::uint64_t freed = 0;
    Result<void> outcome;
    removal.why = rules_.why.empty() ? "prune: " + std::string(reason_) : rules_.why;
    const auto removed =
        core_.remove_all(step_, removal, kept ? StoreCore::Into::trash : StoreCore::Into::nothing);
    if (removed) freed = *removed;
    if (!removed) outcome = removed.error();
    count_step(freed);
    LARDER_TRY(outcome);
    rest();
    return {};
  }

  void count_step(std::uint64_t freed) {
    std::size_t first = 0;
    for (const auto& [end, planned] : groups_) {  // where it ends, and what the plan says it frees
      bool gone = false;
      for (; first < end; ++first) {
        if (!step_[first].gone) continue;
        gone = true;
        ++event_.removed.names;
        event_.removed.bytes += sizes_[first];
      }
      if (!gone) ++event_.changed;
      if (!gone) continue;
      ++event_.removed.groups;
      if (!rules_.no_trash) event_.removed.freed += planned;
    }
    event_.removed.freed += freed;
    names_since_rest_ += step_.size();
    step_.clear();
    sizes_.clear();
    groups_.clear();
  }

  // Between the plan and now a build may have asked for it.
  bool was_used_since(const ArtifactKey& key, UnixSeconds last_use) {
    const RecencyRecord noted = core_.recency.unwritten(core_.index->hash_of(key));
    const auto written = core_.index->recency(key);
    const RecencyRecord known = written && *written ? **written : RecencyRecord();
    return std::max({noted.used, noted.seen, known.used, known.seen}) > last_use;
  }

  // Others get the disk and the core in between.
  void rest() {
    using std::chrono::milliseconds;
    constexpr std::uint64_t k_slice = 100;  // a stop is noticed within
    const std::uint64_t names = std::exchange(names_since_rest_, 0);
    std::uint64_t left = rules_.rate == 0 ? 1 : std::max<std::uint64_t>(1, names * 1000 / rules_.rate);
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
  std::string_view reason_;

  // The step that is being put together: names, and where in them each group ends.
  struct StepGroup {
    std::size_t end = 0;
    std::uint64_t freed = 0;  // as planned
  };
  std::vector<StoreCore::Doomed> step_;
  std::vector<std::uint64_t> sizes_;
  std::vector<StepGroup> groups_;
  std::uint64_t names_since_rest_ = 0;
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
