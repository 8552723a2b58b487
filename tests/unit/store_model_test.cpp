// A store and a simple model of it do the same thousands of random things, and agree
// after each: what is there, what it holds, what can be brought back. A seed that
// fails is printed, and repeats.
#include <cstdlib>
#include <map>
#include <set>

#include "server/store/layout.hpp"
#include "server/store/store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/charge_model.hpp"
#include "tests/support/dice.hpp"
#include "tests/support/eviction_checks.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

constexpr std::int64_t k_hour = 60 * 60;

using eviction::Held;
using eviction::last_use;
using eviction::Names;

class Model {
 public:
  explicit Model(std::uint64_t seed) : dice_(seed) {
    bench_.clock.set(1'000'000'000);
    for (int i = 0; i < 12; ++i)
      names_.push_back("generic/d" + std::to_string(i % 3) + "/n" + std::to_string(i));
    for (int i = 0; i < 6; ++i) names_.push_back("downloads/f" + std::to_string(i));
    names_.push_back("downloads/git2_host.repo.tar");  // may change its content
    for (int i = 0; i < 3; ++i) {
      names_.push_back("sstate-cache/0" + std::to_string(i) + "/sstate:n.tar.zst");
      names_.push_back(names_.back() + ".siginfo");
    }
  }

  void step() {
    bench_.clock.set(bench_.clock.now() + static_cast<UnixSeconds>(dice_.below(3)) * k_hour);
    switch (dice_.below(27)) {
      case 0: return remove();
      case 1: return prune_unused();
      case 2: return prune_matching();
      case 3: return prune_to_size();
      case 4: return undo();
      case 5: return empty_trash();
      case 6: return pin();
      case 7: return snapshot();
      case 8: return remove_snapshot();
      case 9: return restore_snapshot();
      case 10: return rename();
      case 11: return restart();
      case 12: return die();
      case 13: return dice_.chance(20) ? lose_index() : read();
      case 17: return load_names();
      case 18:
      case 19: return evict();
      case 20: return settle_charges();
      case 14:
      case 15:
      case 16: return read();
      default: return put();
    }
  }

  void compare() {
    for (const std::string& name : names_) {
      const auto content = bench_.get(name);
      const auto held = live_.find(name);
      INFO(name);
      REQUIRE(content.ok() == (held != live_.end()));
      if (content) REQUIRE(*content == held->second.content);
      compare_peek(name);
    }
    for (const auto& [snapshot, frozen] : snapshots_) {
      for (const std::string& name : names_) {
        const auto content = bench_.get("@" + snapshot + "/" + name);
        INFO("@" << snapshot << "/" << name);
        REQUIRE(content.ok() == frozen.contains(name));
        if (content) REQUIRE(*content == frozen.at(name).content);
      }
    }
    std::map<std::uint64_t, std::size_t> trash;
    REQUIRE(bench_.store->list_trash([&](const api::TrashGeneration& each) {
      trash[each.generation] = each.names;
      return true;
    }));
    std::map<std::uint64_t, std::size_t> expected;
    for (const auto& [generation, names] : trash_) expected[generation] = names.size();
    REQUIRE(trash == expected);
    compare_totals();
  }

 private:
  // What memory says, with all names in it or with some of the index, and what it keeps of the content.
  void compare_peek(const std::string& name) {
    Entry entry;
    const Found found = bench_.store->peek(bench_.key(name), entry);
    const auto held = live_.find(name);
    if (found == Found::unknown) return;
    REQUIRE((found == Found::hit) == (held != live_.end()));
    if (found == Found::miss) return;
    REQUIRE(entry.digest == Hasher::of(held->second.content));
    REQUIRE(entry.size == held->second.content.size());
    OpenArtifact artifact;
    if (!bench_.store->ready_content(entry, artifact)) return;
    REQUIRE(artifact.body);
    REQUIRE(*artifact.body == held->second.content);
  }

  void settle_charges() {
    REQUIRE(bench_.store->settle_charges({}, 2 + dice_.below(20)));
    charges_.settle(live_, trash_);
  }

  void load_names() { REQUIRE(bench_.store->load_names(1_MiB, {})); }

  const std::string& any_name() { return dice_.pick(names_); }
  std::string some_content() {
    return std::string(1 + dice_.below(9), static_cast<char>('a' + dice_.below(6)));
  }
  static bool may_change(const std::string& name) { return name.find("git2_") != std::string::npos; }

  // Every content that something leads to is stored once, counted for one namespace, and no other is there.
  void compare_totals() {
    std::set<std::string> contents = kept_contents();
    for (const auto& [name, held] : live_) contents.insert(held.content);
    charges_.keep_only(contents);
    REQUIRE(charges_.all().size() == contents.size());
    REQUIRE(bench_.files_below("objects/").size() == contents.size());
    const auto totals = bench_.store->totals();
    for (const api::NamespaceStat& each : totals->namespaces) {
      INFO(each.name);
      api::NamespaceStat expected;
      for (const auto& [name, held] : live_) {
        if (!name.starts_with(each.name + "/")) continue;
        ++expected.artifacts;
        expected.logical_bytes += held.content.size();
      }
      for (const auto& [content, name_space] : charges_.all()) {
        if (name_space != each.name) continue;
        ++expected.objects;
        expected.physical_bytes += content.size();
      }
      REQUIRE(each.artifacts == expected.artifacts);
      REQUIRE(each.logical_bytes == expected.logical_bytes);
      REQUIRE(each.objects == expected.objects);
      REQUIRE(each.physical_bytes == expected.physical_bytes);
    }
  }

  // What does not go with the names that are there now.
  std::set<std::string> kept_contents() const {
    std::set<std::string> contents;
    for (const auto& [snapshot, names] : snapshots_) {
      for (const auto& [name, held] : names) contents.insert(held.content);
    }
    for (const auto& [generation, names] : trash_) {
      for (const auto& [name, held] : names) contents.insert(held.content);
    }
    return contents;
  }

  static std::string space_of(const std::string& name) { return ChargeModel::space_of(name); }

  void put() {
    const std::string name = any_name();
    const std::string content = some_content();
    const auto receipt = bench_.put(name, content);
    REQUIRE(receipt);
    const auto held = live_.find(name);
    const bool fresh = held == live_.end();
    if (!fresh && held->second.content == content) {
      REQUIRE(receipt->outcome == Receipt::Outcome::present);
      held->second.used = bench_.clock.now();
      return;
    }
    if (!fresh && !may_change(name)) {
      REQUIRE(receipt->outcome == Receipt::Outcome::conflict);
      return;
    }
    REQUIRE(receipt->outcome == (fresh ? Receipt::Outcome::created : Receipt::Outcome::replaced));
    const UnixSeconds used = fresh ? 0 : held->second.used;
    live_[name] = {content, bench_.clock.now(), used};
    charges_.charge(content, name);
  }

  void read() {
    const std::string name = any_name();
    const auto held = live_.find(name);
    if (held == live_.end()) return;
    bench_.store->note(bench_.key(name), dice_.chance(50) ? Access::used : Access::seen);
    held->second.used = bench_.clock.now();
  }

  void remove() {
    const std::string name = any_name();
    const auto before = generations();
    const bool there = live_.contains(name);
    REQUIRE(bench_.remove(name).ok() == there);
    if (there) take_away({name}, new_generation(before));
  }

  std::set<std::uint64_t> generations() {
    std::set<std::uint64_t> all;
    REQUIRE(bench_.store->list_trash([&](const api::TrashGeneration& each) {
      all.insert(each.generation);
      return true;
    }));
    return all;
  }
  std::uint64_t new_generation(const std::set<std::uint64_t>& before) {
    for (const std::uint64_t each : generations()) {
      if (!before.contains(each)) return each;
    }
    FAIL("nothing came into the trash");
    return 0;
  }

  void take_away(const std::vector<std::string>& names, std::uint64_t generation) {
    for (const std::string& name : names) {
      trash_[generation][name] = live_.at(name);
      live_.erase(name);
    }
  }

  bool is_pinned(const std::string& name) { return pins_.contains(name); }

  api::PruneEvent prune(api::PruneRules rules, std::vector<std::string>& gone,
                        const Store::PrunePolicy& policy = {}) {
    rules.apply = true;
    rules.list = true;
    const auto event = bench_.store->prune(rules, policy, "model",
                                           [&](const api::PruneEvent& each) {
                                             if (!each.path.empty()) gone.push_back(each.path);
                                           },
                                           {});
    REQUIRE(event);
    REQUIRE(event->removed.names == gone.size());
    return *event;
  }

  template <typename Wanted>
  void prune_as(api::PruneRules rules, const Wanted& wanted) {
    std::vector<std::string> gone;
    const api::PruneEvent event = prune(rules, gone);
    std::set<std::string> expected;
    for (const auto& [name, held] : live_) {
      if (name.starts_with(rules.name_space + "/") && !is_pinned(name) && wanted(name, held))
        expected.insert(name);
    }
    REQUIRE(std::set<std::string>(gone.begin(), gone.end()) == expected);
    if (!gone.empty()) take_away(gone, event.generation);
  }

  void prune_unused() {
    api::PruneRules rules;
    rules.name_space = dice_.chance(50) ? "generic" : "downloads";
    rules.unused_for = static_cast<std::int64_t>(dice_.below(60)) * k_hour;
    const UnixSeconds limit = bench_.clock.now() - *rules.unused_for;
    // With lease and grace 0, what was asked for or stored this very second stays.
    prune_as(rules, [&](const std::string&, const Held& held) { return last_use(held) <= limit; });
  }

  void prune_matching() {
    api::PruneRules rules;
    rules.name_space = "generic";
    rules.match = {"d" + std::to_string(dice_.below(3)) + "/*"};
    const std::string prefix = "generic/" + rules.match[0].substr(0, 3);
    prune_as(rules, [&](const std::string& name, const Held&) { return name.starts_with(prefix); });
  }

  void prune_to_size() {
    api::PruneRules rules;
    rules.name_space = "generic";
    rules.max_size = dice_.below(60);
    std::vector<std::string> gone;
    const api::PruneEvent event = prune(rules, gone);
    std::set<std::string> freed;
    for (const std::string& name : gone) {
      REQUIRE_FALSE(is_pinned(name));
      freed.insert(live_.at(name).content);
    }
    // Nothing goes for nothing: what went is held by nobody else.
    for (const auto& [generation, names] : trash_) {
      for (const auto& [name, held] : names) REQUIRE_FALSE(freed.contains(held.content));
    }
    for (const auto& [name_of_snapshot, names] : snapshots_) {
      for (const auto& [name, held] : names) REQUIRE_FALSE(freed.contains(held.content));
    }
    if (!gone.empty()) take_away(gone, event.generation);
    for (const auto& [name, held] : live_) REQUIRE_FALSE(freed.contains(held.content));
  }

  // As the daemon does when it needs space.
  void evict() {
    eviction::Eviction eviction;
    eviction.name_space = space_of(any_name());
    eviction.size = dice_.below(60);
    eviction.policy.lease = static_cast<std::int64_t>(dice_.below(12)) * k_hour;
    eviction.policy.grace = static_cast<std::int64_t>(dice_.below(12)) * k_hour;
    eviction.now = bench_.clock.now();
    eviction.before = live_;
    eviction.pinned = pins_;
    eviction.kept = kept_contents();
    eviction.charged = charges_.all();
    eviction.bytes_before = bench_.store->physical_bytes(eviction.name_space);
    const std::uint64_t all_before = bench_.store->totals()->physical_bytes;
    api::PruneRules rules;
    rules.name_space = eviction.name_space;
    rules.max_size = eviction.size;
    rules.no_trash = true;
    const api::PruneEvent event = prune(rules, eviction.gone, eviction.policy);
    eviction.bytes_after = bench_.store->physical_bytes(eviction.name_space);
    eviction::Check(eviction).run();
    REQUIRE(event.removed.freed == all_before - bench_.store->totals()->physical_bytes);
    for (const std::string& name : eviction.gone) live_.erase(name);
  }

  void undo() {
    if (trash_.empty()) return;
    auto chosen = trash_.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(dice_.below(trash_.size())));
    const auto undone = bench_.store->undo(chosen->first, "model");
    REQUIRE(undone);
    std::size_t restored = 0;
    Names stay;
    for (const auto& [name, held] : chosen->second) {
      const auto live = live_.find(name);
      const bool other = live != live_.end() && live->second.content != held.content;
      if (other) {
        stay[name] = held;
        continue;
      }
      ++restored;
      if (live == live_.end()) live_[name] = {held.content, held.stored, 0};
      live_[name].used = bench_.clock.now();
      charges_.charge(live_[name].content, name);
    }
    REQUIRE(undone->names == restored);
    REQUIRE(undone->refused == stay.size());
    if (stay.empty())
      trash_.erase(chosen);
    else
      chosen->second = stay;
  }

  void empty_trash() {
    Store::TrashSelection selection;
    if (!trash_.empty() && dice_.chance(50)) selection.generation = trash_.begin()->first;
    REQUIRE(bench_.store->empty_trash(selection, {}));
    if (selection.generation == 0)
      trash_.clear();
    else
      trash_.erase(selection.generation);
  }

  void pin() {
    const std::string name = any_name();
    const bool pinned = pins_.contains(name);
    REQUIRE((pinned ? bench_.store->unpin({name}, "model") : bench_.store->pin({name}, "model")));
    if (pinned)
      pins_.erase(name);
    else
      pins_.insert(name);
  }

  void snapshot() {
    if (!bench_.store->reconciled()) return;
    api::SnapshotRequest request;
    request.name = "s" + std::to_string(dice_.below(3));
    const auto made = bench_.store->create_snapshot(request, "model");
    REQUIRE(made.ok() == !snapshots_.contains(request.name));
    if (made) snapshots_[request.name] = live_;
  }

  void remove_snapshot() {
    const std::string name = "s" + std::to_string(dice_.below(3));
    REQUIRE(bench_.store->remove_snapshot(name, "model").ok() == snapshots_.contains(name));
    REQUIRE(bench_.store->clear_snapshots({}));
    snapshots_.erase(name);
  }

  void restore_snapshot() {
    const std::string name = "s" + std::to_string(dice_.below(3));
    const auto restored = bench_.store->restore_snapshot(name, "model");
    REQUIRE(restored.ok() == snapshots_.contains(name));
    if (!restored) return;
    for (const auto& [path, held] : snapshots_[name]) {
      const auto live = live_.find(path);
      if (live == live_.end()) live_[path] = {held.content, held.stored, 0};
      live_[path].used = bench_.clock.now();
      charges_.charge(live_[path].content, path);
    }
  }

  void rename() {
    const std::string from = any_name();
    const std::string to = any_name();
    if (from == to || !live_.contains(from)) return;
    const auto before = generations();
    const auto receipt = bench_.store->rename(bench_.key(from), bench_.key(to), "model");
    REQUIRE(receipt);
    const auto held = live_.find(to);
    const bool conflict =
        held != live_.end() && held->second.content != live_[from].content && !may_change(to);
    REQUIRE((receipt->outcome == Receipt::Outcome::conflict) == conflict);
    if (conflict) return;
    if (held == live_.end() || held->second.content != live_[from].content) {
      const UnixSeconds used = held == live_.end() ? 0 : held->second.used;
      live_[to] = {live_[from].content, bench_.clock.now(), used};
      charges_.charge(live_[to].content, to);
    } else {
      held->second.used = bench_.clock.now();  // as after an upload of what is there
    }
    take_away({from}, new_generation(before));
  }

  void restart() {
    REQUIRE(bench_.close());
    REQUIRE(bench_.open());
  }

  void die() {
    REQUIRE(bench_.store->flush_recency());  // a crash may lose a few seconds of it; the model does not
    bench_.kill();
    REQUIRE(bench_.open());
    if (dice_.chance(50)) compare();  // before tree and index have been compared
    REQUIRE(bench_.store->reconcile({}));
  }

  // What was stored stays, what is only known of it is lost: everything counts as asked for now.
  void lose_index() {
    REQUIRE(bench_.close());
    bench_.forget_index();
    REQUIRE(bench_.open());
    REQUIRE(bench_.store->reconcile({}));
    const auto relearn = [&](const std::string& prefix, Names& names) {
      for (auto& [name, held] : names) {
        const auto entry = bench_.store->stat(bench_.key(prefix + name));
        REQUIRE(entry);
        held.stored = entry->stored;
        held.used = bench_.clock.now();
      }
    };
    relearn("", live_);
    for (auto& [snapshot, names] : snapshots_) relearn("@" + snapshot + "/", names);
    trash_times_are_lost();
    // The first name that leads to it, as the tree and then the snapshots are walked.
    charges_.clear();
    const auto charge_all = [&](const Names& names) {
      for (const auto& [name, held] : names) charges_.charge(held.content, name);
    };
    charge_all(live_);
    for (const auto& [snapshot, names] : snapshots_) charge_all(names);
  }
  // Their times come from the inode: comparing contents has to do. Emptied, so that they do not come back.
  void trash_times_are_lost() {
    REQUIRE(bench_.store->empty_trash({}, {}));
    trash_.clear();
  }

  test::Dice dice_;
  StoreBench bench_;
  std::vector<std::string> names_;
  Names live_;
  std::map<std::uint64_t, Names> trash_;  // by generation
  std::map<std::string, Names> snapshots_;
  std::set<std::string> pins_;
  ChargeModel charges_;
};

}  // namespace

TEST_CASE("a store does what a simple model of it does", "[store][model]") {
  // For a long run: LARDER_MODEL_SEEDS=1000 unit_tests "[model]"
  const char* const seeds = std::getenv("LARDER_MODEL_SEEDS");
  const std::uint64_t last = seeds == nullptr ? 4 : std::strtoull(seeds, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= last; ++seed) {
    Model model(seed);
    for (int step = 0; step < 600; ++step) {
      INFO("seed " << seed << ", step " << step);
      model.step();
      model.compare();
    }
  }
}
