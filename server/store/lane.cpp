// StoreCore and Store, the part about lanes: namespaces that overlay another one. What a lane has
// not is read from there; what is stored stays in the lane, until it is promoted.
#include "common/actor.hpp"
#include "common/glob.hpp"
#include "common/tree_rules.hpp"
#include "server/store/layout.hpp"
#include "server/store/store.hpp"

#include <algorithm>
#include <unordered_map>

namespace larder {

std::optional<ArtifactKey> StoreCore::overlaid(const ArtifactKey& key) const {
  const NamespaceConfig* const lane = find_namespace(key.name_space());
  if (lane == nullptr || lane->overlay.empty()) return std::nullopt;
  std::string space = lane->overlay;  // of a snapshot's lane: as that was frozen with it
  if (key.is_frozen()) space = "@" + std::string(snapshot_of(key.name_space())) + "/" + space;
  auto below = ArtifactKey::make(space, key.path());
  if (!below) return std::nullopt;
  return std::move(*below);
}

Result<std::optional<NameRecord>> StoreCore::find_overlaid(const ArtifactKey& key) {
  const std::optional<ArtifactKey> below = overlaid(key);
  if (!below) return std::optional<NameRecord>();
  return find(*below);
}

Result<std::optional<NameRecord>> StoreCore::peek_overlaid(const ArtifactKey& key) const {
  const std::optional<ArtifactKey> below = overlaid(key);
  if (!below) return std::optional<NameRecord>();
  return index->name(*below);
}

Result<Receipt> StoreCore::promote(const ArtifactKey& from, const ArtifactKey& to, const NameRecord& row,
                                   const Promotion& promotion) {
  LARDER_TRY(check_size(to, row.size));
  LARDER_TRY_ASSIGN(const Quota::Reservation reservation, reserve_for(to, row.size));
  Content content;
  content.digest = row.digest;
  content.size = row.size;
  content.place = [&](const std::string& path) {
    return copy_bytes(layout::tree_path(from), row.digest, path);
  };
  Origin origin;
  origin.actor = promotion.actor;
  origin.action = LedgerAction::promote;
  origin.why = promotion.why;
  origin.declared = row.declared;
  origin.keep_existing = promotion.replace == Replace::refused;
  origin.record = row;
  origin.record->stored = clock.now();
  LARDER_TRY_ASSIGN(Receipt receipt, publish(to, content, origin));
  if (receipt.outcome != Receipt::Outcome::conflict) LARDER_TRY(count_below(from, to, row.digest));
  return receipt;
}

Result<void> StoreCore::count_below(const ArtifactKey& from, const ArtifactKey& to, const Digest& digest) {
  return index->recharge({digest, std::string(from.name_space()), std::string(to.name_space())});
}

namespace {

constexpr std::size_t k_report_every = 1024;  // names

class Promoter {
 public:
  Promoter(StoreCore& core, const Store::PromoteOptions& options, const Store::PromoteReport& report,
           const std::stop_token& stop)
      : core_(core), options_(options), rules_(options.rules), report_(report), stop_(stop) {}

  Result<api::PromoteEvent> run() {
    const NamespaceConfig* const lane = core_.find_namespace(rules_.lane);
    if (lane == nullptr || rules_.lane.starts_with('@'))
      return Error(Errc::not_found, "there is no namespace '" + rules_.lane + "'");
    if (lane->overlay.empty())
      return Error(Errc::invalid_argument, "'" + rules_.lane + "' is no lane: it overlays no namespace");
    trusted_ = lane->overlay;
    sum_.name_space = trusted_;
    if (!rules_.build.empty()) LARDER_TRY(find_build());
    LARDER_TRY(choose(*lane));
    for (const Group& group : groups_) {
      if (stop_.stop_requested())
        return Error(Errc::cancelled, "promoting was stopped; what was promoted stays so");
      LARDER_TRY(promote(group));
    }
    sum_.done = true;
    return sum_;
  }

 private:
  struct Member {
    ArtifactKey from;
    ArtifactKey to;
    NameRecord row;
    std::string_view outcome;
    std::string reason;  // why it is not promoted; empty: it is, or another one of its group tells
  };
  using Rows = std::vector<std::pair<std::string, NameRecord>>;  // by path
  using Group = Rows;

  // The names that uploads of the build stored, and the bytes they stored last: somebody else may have
  // been before them, or have put others there since.
  Result<void> find_build() {
    const std::string why = "build " + rules_.build;
    const std::string prefix = rules_.lane + "/";
    return core_.index->scan_ledger(0, [&](std::uint64_t, const LedgerRecord& line) {
      if (line.why == why && line.key.starts_with(prefix))
        built_.insert_or_assign(line.key.substr(prefix.size()), line.digest);
      return !stop_.stop_requested();
    });
  }

  Result<void> choose(const NamespaceConfig& lane) {
    const std::string prefix = lane.name + "/";
    Group group;
    std::string current;
    const auto end_group = [&] {
      if (is_meant(group)) groups_.push_back(std::move(group));
      group.clear();
    };
    LARDER_TRY(core_.index->scan_names(prefix, {}, [&](std::string_view key, const NameRecord& row) {
      const std::string path(key.substr(prefix.size()));
      const std::string_view of = group_key(lane.kind, path);
      if (of != current) end_group();
      current = of;
      group.emplace_back(path, row);
      Index::Step step;
      if (stop_.stop_requested()) step.kind = Index::Step::Kind::stop;
      return step;
    }));
    end_group();
    // Whoever sees a siginfo finds its archive.
    for (Group& each : groups_)
      std::stable_sort(each.begin(), each.end(), [&](const auto& one, const auto& other) {
        return group_role(lane.kind, one.first) < group_role(lane.kind, other.first);
      });
    return {};
  }

  bool is_theirs(const NameRecord& row) const {
    return rules_.uploaders.empty() ||
           std::any_of(rules_.uploaders.begin(), rules_.uploaders.end(),
                       [&](const std::string& each) { return means_actor(each, row.uploader); });
  }

  bool is_built(const std::string& path, const NameRecord& row) const {
    if (rules_.build.empty()) return true;
    const auto found = built_.find(path);
    return found != built_.end() && found->second == row.digest;
  }

  // Whether there is one in it that was asked for, by all rules; judge() looks at the others.
  bool is_meant(const Group& group) const {
    return std::any_of(group.begin(), group.end(),
                       [&](const auto& member) { return is_meant(member.first, member.second); });
  }

  bool is_meant(const std::string& path, const NameRecord& row) const {
    const auto matches = [&](const std::string& pattern) { return matches_glob(pattern, path); };
    if (!rules_.match.empty() && std::none_of(rules_.match.begin(), rules_.match.end(), matches))
      return false;
    if (rules_.since && row.stored < *rules_.since) return false;
    return is_theirs(row) && is_built(path, row);
  }

  Result<std::string_view> outcome_of(const ArtifactKey& to, const NameRecord& row) {
    LARDER_TRY_ASSIGN(const std::optional<NameRecord> there, core_.find(to));
    if (!there) return std::string_view("new");
    if (there->digest == row.digest) return std::string_view("present");
    const NamespaceConfig* const config = core_.find_namespace(trusted_);
    const bool grows =
        config != nullptr && overwrite_rule(config->kind, to.path()) == OverwriteRule::replaceable;
    return std::string_view(grows && options_.may_replace ? "replaces" : "conflict");
  }

  Result<void> promote(const Group& group) {
    std::vector<Member> members;
    for (const auto& [path, row] : group) {
      auto from = ArtifactKey::make(rules_.lane, path);
      auto to = ArtifactKey::make(trusted_, path);
      if (!from || !to) continue;
      LARDER_TRY_ASSIGN(const std::string_view outcome, outcome_of(*to, row));
      members.push_back({std::move(*from), std::move(*to), row, outcome, {}});
      judge(members.back());
    }
    const bool held =
        std::any_of(members.begin(), members.end(), [](const Member& each) { return !each.reason.empty(); });
    for (Member& each : members) {
      if (held && each.outcome != "conflict" && each.outcome != "present") each.outcome = "held";
      const bool goes = each.outcome == "new" || each.outcome == "replaces";
      if (goes && rules_.apply) LARDER_TRY(carry_out(each));
      if (each.outcome == "present" && rules_.apply)
        LARDER_TRY(core_.count_below(each.from, each.to, each.row.digest));
      count(each);
    }
    return {};
  }

  // One member of whom nobody asked for keeps its whole group where it is: an archive is worth no more than
  // its siginfo says, and nobody's file becomes trusted for lying beside another one's.
  void judge(Member& member) const {
    if (member.outcome == "present") return;
    if (member.outcome == "conflict") {
      member.reason = holds_others(member);
    } else if (!is_theirs(member.row)) {
      member.reason = "was stored by " + member.row.uploader + ", who was not asked for";
    } else if (!is_built(std::string(member.from.path()), member.row)) {
      member.reason = "was not stored by build " + rules_.build;
    }
    if (!member.reason.empty() && member.outcome != "conflict") member.outcome = "held";
  }

  static std::string holds_others(const Member& member) {
    return member.to.str() + " holds other bytes, and keeps them";
  }

  Result<void> carry_out(Member& member) {
    StoreCore::Promotion promotion;
    promotion.actor = options_.actor;
    promotion.why = "from " + rules_.lane + ", stored there by " + member.row.uploader;
    promotion.replace = options_.may_replace ? StoreCore::Replace::allowed : StoreCore::Replace::refused;
    LARDER_TRY_ASSIGN(const Receipt receipt, core_.promote(member.from, member.to, member.row, promotion));
    if (receipt.outcome == Receipt::Outcome::present) member.outcome = "present";
    if (receipt.outcome == Receipt::Outcome::conflict) {  // came just now
      member.outcome = "conflict";
      member.reason = holds_others(member);
    }
    return {};
  }

  void count(const Member& member) {
    const bool conflict = member.outcome == "conflict";
    if (member.outcome == "present") ++sum_.present;
    if (member.outcome == "held") ++sum_.held;
    if (conflict) ++sum_.conflicts;
    if (member.outcome == "new" || member.outcome == "replaces") {
      ++sum_.promoted;
      sum_.bytes += member.row.size;
    }
    if (report_ && (rules_.list || !member.reason.empty())) {
      api::PromoteEvent event;
      event.path = member.from.str();
      event.outcome = member.outcome;
      event.size = member.row.size;
      event.reason = member.reason;
      report_(event);
    }
    if (report_ && ++told_ % k_report_every == 0) report_(sum_);
  }

  StoreCore& core_;
  const Store::PromoteOptions& options_;
  const api::PromoteRules& rules_;
  const Store::PromoteReport& report_;
  const std::stop_token& stop_;
  std::string trusted_;
  std::unordered_map<std::string, Digest> built_;  // by path
  std::vector<Group> groups_;
  api::PromoteEvent sum_;
  std::size_t told_ = 0;
};

}  // namespace

Result<api::PromoteEvent> Store::promote(const PromoteOptions& options, const PromoteReport& report,
                                         const std::stop_token& stop) {
  return Promoter(*core_, options, report, stop).run();
}

}  // namespace larder
