#include "server/store/prune_planner.hpp"

#include "common/hasher.hpp"
#include "common/sstate_name.hpp"
#include "tests/support/catch.hpp"

using namespace larder;

namespace {

constexpr UnixSeconds k_now = 1'000'000'000;
constexpr std::int64_t k_day = 24 * 60 * 60;

std::string hash_of(char digit) {
  return std::string(64, digit);
}

std::string archive(const std::string& pn, char digit, const std::string& version = "14",
                    const std::string& extra = "", const std::string& task = "package") {
  const std::string two(2, digit);
  return (extra.empty() ? "" : extra + "/") + two + "/" + two + "/sstate:" + pn +
         ":target:1.0:r0:core2-64:" + version + ":" + hash_of(digit) + "_" + task + ".tar.zst";
}

// A world of groups, each used so many days ago.
struct World {
  std::vector<PruneGroup> groups;
  std::set<std::string> pinned;
  std::map<Digest, std::uint64_t> holders;
  std::set<Digest> elsewhere;  // counted for another namespace
  PrunePlanner::Facts facts;

  World() {
    facts.now = k_now;
    facts.kind = NamespaceKind::sstate;
    facts.lease = 0;
    facts.grace = 0;
  }

  PruneMember& add(const std::string& path, std::int64_t days, std::uint64_t size = 100,
                   const std::string& content = "") {
    PruneMember member;
    member.path = path;
    member.size = size;
    member.digest = Hasher::of(content.empty() ? path : content);
    member.stored = k_now - days * k_day;
    ++holders[member.digest];
    facts.physical_bytes += holders[member.digest] == 1 ? size : 0;
    const auto key = std::string(group_of(path));
    for (PruneGroup& group : groups) {
      if (group.path == key) return group.members.emplace_back(std::move(member));
    }
    PruneGroup group;
    group.path = key;
    groups.push_back(std::move(group));
    return groups.back().members.emplace_back(std::move(member));
  }

  PrunePlan plan(const api::PruneRules& rules) {
    PrunePlanner::Facts all = facts;
    all.is_pinned = [this](const std::string& path) { return pinned.count(path) > 0; };
    all.is_in_snapshot = [](const std::string& path) { return path.find("frozen") != std::string::npos; };
    all.is_charged = [this](const Digest& digest) { return !elsewhere.contains(digest); };
    all.holders = [this](const Digest& digest) { return holders[digest]; };
    PrunePlanner planner(rules, std::move(all));
    for (const PruneGroup& group : groups) planner.consider(group);
    return planner.finish();
  }
};

std::vector<std::string> paths(const PrunePlan& plan) {
  std::vector<std::string> all;
  for (const PlanTable::Group& group : plan.table.groups()) {
    for (std::uint32_t i = 0; i < group.count; ++i)
      all.push_back(PlanTable::path_of(group, plan.table.member(group, i)));
  }
  return all;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("what was not used for so long goes, oldest first, in groups", "[prune]") {
  World world;
  const std::string old = archive("a", '1');
  world.add(old, 40);
  world.add(old + ".siginfo", 40);
  world.add(archive("b", '2'), 50);
  world.add(archive("c", '3'), 10);
  world.add(archive("d", '4'), 40).seen = k_now - k_day;  // asked for yesterday
  world.add(archive("e", '5'), 40);
  world.add(archive("e", '5') + ".siginfo", 40).used = k_now - k_day;  // one of the group is enough
  api::PruneRules rules;
  rules.unused_for = 30 * k_day;
  const PrunePlan plan = world.plan(rules);
  CHECK(paths(plan) == Paths{archive("b", '2'), old, old + ".siginfo"});
  CHECK(plan.considered == 5);
  CHECK(plan.by_reason.at("unused").groups == 2);
  CHECK(plan.by_reason.at("unused").names == 3);
  CHECK(plan.by_reason.at("unused").bytes == 300);
}

TEST_CASE("all rules that are given have to hold", "[prune]") {
  World world;
  world.add(archive("busybox", '1'), 40);
  world.add(archive("busybox", '2'), 5);
  world.add(archive("glibc", '3'), 40);
  world.add("README", 40);
  api::PruneRules rules;
  rules.recipes = {"busybox"};
  CHECK(paths(world.plan(rules)) == Paths{archive("busybox", '1'), archive("busybox", '2')});
  rules.unused_for = 30 * k_day;
  CHECK(paths(world.plan(rules)) == Paths{archive("busybox", '1')});
  rules.tasks = {"packagedata"};
  CHECK(paths(world.plan(rules)).empty());
  rules = {};
  rules.match = {"*glibc*", "READ?E"};
  CHECK(paths(world.plan(rules)) == Paths{archive("glibc", '3'), "README"});
  rules = {};
  rules.versions = {"12"};
  CHECK(paths(world.plan(rules)).empty());
  rules = {};
  rules.architectures = {"core2-64"};
  CHECK(paths(world.plan(rules)).size() == 3);  // a plain file has none
}

TEST_CASE("the newest of each class stay, each format version and host by itself", "[prune]") {
  World world;
  for (int i = 1; i <= 4; ++i) world.add(archive("a", static_cast<char>('0' + i)), 10 * i);
  world.add(archive("a", '5', "12"), 90);               // another release
  world.add(archive("a", '6', "14", "universal"), 90);  // another host
  world.add(archive("a", '7', "14", "", "populate_lic"), 90);
  world.add("plain", 90);
  api::PruneRules rules;
  rules.newest = 2;
  CHECK(paths(world.plan(rules)) == Paths{archive("a", '4'), archive("a", '3')});
  rules.unused_for = 35 * k_day;
  CHECK(paths(world.plan(rules)) == Paths{archive("a", '4')});
  rules.newest = 0;
  CHECK(paths(world.plan(rules)).size() == 4);
}

TEST_CASE("a size is reached by taking the oldest, and no more than needed", "[prune]") {
  World world;
  for (int i = 1; i <= 9; ++i) world.add("n" + std::to_string(i), 10 - i, 100);
  api::PruneRules rules;
  rules.max_size = 650;
  const PrunePlan plan = world.plan(rules);
  CHECK(paths(plan) == Paths{"n1", "n2", "n3"});
  CHECK(plan.by_reason.at("oversize").freed == 300);
  rules.max_size = 900;
  CHECK(paths(world.plan(rules)).empty());
  rules.max_size = 0;
  CHECK(paths(world.plan(rules)).size() == 9);
}

TEST_CASE("shared content is counted once, and only when its last name goes", "[prune]") {
  World world;
  world.add("a", 9, 100, "same");
  world.add("b", 8, 100, "same");
  world.add("c", 7, 100, "same");
  world.add("d", 6, 100, "other");
  ++world.holders[Hasher::of("other")];  // a snapshot holds it
  world.add("e", 5, 0, "");
  api::PruneRules rules;
  rules.match = {"a", "b"};
  CHECK(world.plan(rules).by_reason.at("selected").freed == 0);
  rules.match = {"*"};
  const PrunePlan plan = world.plan(rules);
  CHECK(plan.by_reason.at("selected").bytes == 400);
  CHECK(plan.by_reason.at("selected").freed == 100);
  rules = {};
  rules.max_size = 150;  // "same" has to go with all its names before anything is won
  CHECK(paths(world.plan(rules)) == Paths{"a", "b", "c"});
}

TEST_CASE("for a size, what frees nothing stays", "[prune]") {
  World world;
  for (int i = 1; i <= 6; ++i) world.add("held" + std::to_string(i), 10 + i, 100);
  for (int i = 1; i <= 6; ++i) ++world.holders[Hasher::of("held" + std::to_string(i))];  // by a snapshot
  world.add("free1", 9, 100);
  world.add("free2", 8, 100);
  world.add("foreign", 7, 100);
  world.elsewhere.insert(Hasher::of("foreign"));
  api::PruneRules rules;
  rules.max_size = 750;
  CHECK(paths(world.plan(rules)) == Paths{"free1", "free2"});
  rules.max_size = 0;  // cannot be reached
  CHECK(paths(world.plan(rules)) == Paths{"free1", "free2"});
}

TEST_CASE("what is pinned, leased, young or listed stays, and that is told", "[prune]") {
  World world;
  world.facts.lease = k_day / 2;
  world.facts.grace = 3600;
  world.add("pinned", 90);
  world.pinned = {"pinned"};
  world.add("leased", 90).seen = k_now - 100;
  world.add("read", 90).used = k_now - 100;
  world.add("young", 0);
  world.add("named", 90);
  world.add(archive("a", '1'), 90);
  world.add("gone", 90);
  api::PruneRules rules;
  rules.match = {"*"};
  rules.keep_names = {"named"};
  rules.keep_hashes = {hash_of('1')};
  const PrunePlan plan = world.plan(rules);
  CHECK(paths(plan) == Paths{"gone"});
  CHECK(plan.kept ==
        std::map<std::string, std::uint64_t>{{"pinned", 1}, {"leased", 2}, {"young", 1}, {"listed", 2}});
  rules.ignore_lease = true;
  CHECK(paths(world.plan(rules)) ==
        Paths{"gone", "leased", "read", "young"});  // by use: only stored counts there
}

TEST_CASE("siginfo may stay when its archive goes", "[prune]") {
  World world;
  const std::string name = archive("a", '1');
  world.add(name, 90);
  world.add(name + ".sig", 90);
  world.add(name + ".siginfo", 90);
  world.add(archive("b", '2') + ".siginfo", 90);
  api::PruneRules rules;
  rules.unused_for = k_day;
  rules.keep_siginfo = true;
  CHECK(paths(world.plan(rules)) == Paths{name, name + ".sig"});
}

TEST_CASE("one uploader's work, and what no snapshot has, can be meant", "[prune]") {
  World world;
  world.add("a", 9).uploader = "ci-7";
  world.add("b", 2).uploader = "ci-7";
  world.add("c", 2).uploader = "ci-8";
  world.add("frozen", 9);
  api::PruneRules rules;
  rules.uploaders = {"ci-7"};
  CHECK(paths(world.plan(rules)) == Paths{"a", "b"});
  rules.uploaded_since = k_now - 3 * k_day;
  CHECK(paths(world.plan(rules)) == Paths{"b"});
  rules = {};
  rules.not_in_snapshot = true;
  CHECK(paths(world.plan(rules)) == Paths{"a", "b", "c"});
  rules = {};
  rules.older_than = 5 * k_day;
  CHECK(paths(world.plan(rules)) == Paths{"a", "frozen"});
}

TEST_CASE("what is meant by name, uploader and time has to be meant by one of a group's names", "[prune]") {
  World world;
  const std::string name = archive("a", '1');
  world.add(name, 365).uploader = "ci-7";
  world.add(name + ".sig", 1).uploader = "signer";
  struct Case {
    std::vector<std::string> match;
    std::vector<std::string> uploaders;
    std::optional<std::int64_t> days;  // uploaded since
    bool goes = false;                 // all of the group
  };
  const std::vector<Case> cases = {
      {{}, {"ci-7"}, {}, true},          {{}, {}, 2, true},
      {{}, {"ci-7"}, 2, false},          {{}, {"signer"}, 2, true},
      {{}, {"ci-7", "signer"}, 2, true}, {{"*.sig"}, {"ci-7"}, {}, false},
      {{"*.sig"}, {"signer"}, {}, true}, {{"*.zst"}, {"signer"}, {}, false},
      {{"*.zst"}, {}, 2, false},         {{"*.zst", "*.sig"}, {}, 2, true},
      {{"*.zst"}, {"ci-7"}, 400, true},
  };
  for (const Case& each : cases) {
    api::PruneRules rules;
    rules.match = each.match;
    rules.uploaders = each.uploaders;
    if (each.days) rules.uploaded_since = k_now - *each.days * k_day;
    CAPTURE(each.match, each.uploaders, each.days.value_or(0));
    CHECK(paths(world.plan(rules)) == (each.goes ? Paths{name, name + ".sig"} : Paths{}));
  }
}
