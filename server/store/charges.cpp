// StoreCore, the part that sets right for whom contents are counted. Each is counted for the namespace that
// stored it first. When the last name that this one has of it goes, and others have some, nobody looks: no
// way leads from a content to its names. So all rows are read, when somebody needs the figures.
#include <algorithm>
#include <compare>
#include <map>
#include <utility>

#include "server/store/store_core.hpp"

namespace larder {
namespace {

constexpr std::size_t k_step = 1024;  // counted for others in one write of the index

// Digests in their order are spread evenly over these.
std::uint64_t head_of(const Digest& digest) {
  std::uint64_t head = 0;
  for (std::size_t i = 0; i < sizeof head; ++i) head = head << 8 | digest.bytes()[i];
  return head;
}

std::string_view space_of(std::string_view key) {
  return key.substr(0, key.find('/'));
}

class ChargeCheck {
 public:
  ChargeCheck(StoreCore& core, const std::function<bool()>& is_ended, std::size_t at_once)
      : core_(core),
        is_ended_(is_ended),
        most_names_(at_once),
        most_strays_(at_once / 16 + 1),
        since_(core.index->last_sequence()) {}

  Result<std::uint64_t> run() {
    for (bool more = true; more;) {
      LARDER_TRY(learn_names());
      LARDER_TRY(find_strays());
      more = last_ != k_end;
      first_ = last_ + 1;
    }
    return moved_;
  }

 private:
  static constexpr std::uint64_t k_end = ~std::uint64_t{0};

  // Of a name: the beginning of its digest, and the namespace.
  struct Named {
    std::uint64_t head = 0;
    std::uint64_t space = 0;  // its number
    auto operator<=>(const Named&) const = default;
  };
  // A content of which the namespace that it is counted for has no name in its tree.
  struct Stray {
    Digest digest;
    std::uint64_t from = 0;
    std::optional<std::uint64_t> tree;   // a namespace that has one there
    std::optional<std::uint64_t> trash;  // one that can have it back, `from` rather than others
  };

  // One that the configuration has no more has no part in it: what counts for it is in no sum.
  enum class Standing : std::uint8_t { removed, lane, trusted };

  std::uint64_t number_of(std::string_view space) {
    const auto found = numbers_.find(space);
    if (found != numbers_.end()) return found->second;
    const NamespaceConfig* const config = core_.find_namespace(space);
    const Standing known = config != nullptr && !config->overlay.empty() ? Standing::lane : Standing::trusted;
    standings_.push_back(config == nullptr ? Standing::removed : known);
    spaces_.emplace_back(space);
    return numbers_.emplace(space, numbers_.size()).first->second;
  }

  Result<void> go_on() const {
    if (is_ended_()) return Error(Errc::cancelled, "it was stopped; nothing is lost by that");
    return {};
  }

  // Every name but those of snapshots.
  using VisitName = std::function<void(std::uint64_t space, const NameRecord& row)>;
  Result<void> each_name(const VisitName& visit) {
    Result<void> outcome;
    LARDER_TRY(core_.index->scan_names({}, {}, [&](std::string_view key, const NameRecord& row) {
      Index::Step step;
      outcome = go_on();
      if (!outcome) {
        step.kind = Index::Step::Kind::stop;
      } else if (key.starts_with('@')) {
        step.kind = Index::Step::Kind::seek;
        step.where = "A";  // what follows '@'
      } else if (row.size > 0) {
        const std::uint64_t space = number_of(space_of(key));
        if (standings_[space] != Standing::removed) visit(space, row);
      }
      return step;
    }));
    return outcome;
  }

  // Those whose digests begin in [first_, last_], which shrinks until there is room for them.
  Result<void> learn_names() {
    last_ = k_end;
    names_.clear();
    LARDER_TRY(each_name([&](std::uint64_t space, const NameRecord& row) {
      const std::uint64_t head = head_of(row.digest);
      if (head < first_ || head > last_) return;
      names_.push_back({head, space});
      if (names_.size() >= most_names_) make_room();
    }));
    sort_names();
    return {};
  }

  void sort_names() {
    std::sort(names_.begin(), names_.end());
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
  }

  // What has many names takes no more of it than what has one.
  void make_room() {
    sort_names();
    if (names_.size() <= most_names_ / 2) return;
    last_ = first_ + (last_ - first_) / 2;
    std::erase_if(names_, [&](const Named& each) { return each.head > last_; });
  }

  Result<void> find_strays() {
    Digest::Bytes start{};
    for (std::size_t i = 0; i < sizeof first_; ++i)
      start[i] = static_cast<std::uint8_t>(first_ >> (8 * (sizeof first_ - 1 - i)));
    std::string after = first_ == 0 ? std::string() : std::string(Digest(start).raw());
    for (bool more = true; more;) {
      more = false;
      Result<void> outcome;
      LARDER_TRY(core_.index->scan_objects(after, [&](const Digest& digest, const ObjectRecord& record) {
        outcome = go_on();
        if (!outcome || head_of(digest) > last_) return false;
        look_at(digest, record);
        more = strays_.size() == most_strays_;
        if (more) after = digest.raw();
        return !more;
      }));
      LARDER_TRY(outcome);
      LARDER_TRY(settle());
    }
    return {};
  }

  void look_at(const Digest& digest, const ObjectRecord& record) {
    const std::uint64_t head = head_of(digest);
    const auto named = std::lower_bound(names_.begin(), names_.end(), Named{head, 0});
    const bool has_name = named != names_.end() && named->head == head;
    if (record.charged_to.empty() && !has_name) return;
    const std::uint64_t from = number_of(record.charged_to);
    if (std::binary_search(names_.begin(), names_.end(), Named{head, from})) return;
    strays_.push_back({digest, from, {}, {}});
  }

  Stray* find_stray(const Digest& digest) {
    const auto found =
        std::lower_bound(strays_.begin(), strays_.end(), digest,
                         [](const Stray& one, const Digest& other) { return one.digest < other; });
    return found != strays_.end() && found->digest == digest ? &*found : nullptr;
  }

  // The tree first: a name that goes to the trash meanwhile is seen in one of them.
  Result<void> settle() {
    if (strays_.empty()) return {};
    LARDER_TRY(each_name([&](std::uint64_t space, const NameRecord& row) {
      Stray* const stray = find_stray(row.digest);
      if (stray == nullptr) return;
      // The trusted one rather than a lane that has it, too.
      const bool better = !stray->tree || standings_[*stray->tree] < standings_[space];
      if (better) stray->tree = space;
    }));
    Result<void> outcome;
    LARDER_TRY(
        core_.index->scan_trash(0, {}, [&](std::uint64_t, std::string_view key, const TrashRecord& row) {
          outcome = go_on();
          Stray* const stray = find_stray(row.name.digest);
          if (!outcome || stray == nullptr) return outcome.ok();
          const std::uint64_t space = number_of(space_of(key));
          if (standings_[space] == Standing::removed) return true;
          if (!stray->trash || space == stray->from) stray->trash = space;
          return true;
        }));
    LARDER_TRY(outcome);
    LARDER_TRY(recharge());
    strays_.clear();
    return {};
  }

  Result<void> recharge() {
    std::vector<Index::Recharge> step;
    for (const Stray& each : strays_) {
      const auto to = each.tree ? each.tree : each.trash;
      if (to != each.from)
        step.push_back({each.digest, spaces_[each.from], to ? spaces_[*to] : std::string()});
      if (step.size() < k_step && &each != &strays_.back()) continue;
      LARDER_TRY(go_on());
      LARDER_TRY(core_.index->recharge(step, since_));
      moved_ += step.size();
      step.clear();
    }
    return {};
  }

  StoreCore& core_;
  const std::function<bool()>& is_ended_;
  const std::size_t most_names_;
  const std::size_t most_strays_;
  const std::uint64_t since_;  // of the ledger: what changed behind it is left for the next time
  std::map<std::string, std::uint64_t, std::less<>> numbers_;
  std::vector<std::string> spaces_;  // by number
  std::vector<Standing> standings_;  // likewise
  std::uint64_t first_ = 0;
  std::uint64_t last_ = k_end;
  std::vector<Named> names_;
  std::vector<Stray> strays_;  // by digest
  std::uint64_t moved_ = 0;
};

}  // namespace

Result<std::uint64_t> StoreCore::settle_charges(const std::function<bool()>& is_ended, std::size_t at_once) {
  if (!index_complete) return std::uint64_t{0};  // rows may be missing
  return ChargeCheck(*this, is_ended, at_once).run();
}

}  // namespace larder
