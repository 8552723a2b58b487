// Pruning, the trash and pins on a store in memory.
#include "server/store/layout.hpp"
#include "server/store/store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

constexpr std::int64_t k_day = 24 * 60 * 60;

std::size_t count_below(const StoreBench& bench, const std::string& prefix) {
  std::size_t count = 0;
  for (const std::string& file : bench.memory.files()) count += file.starts_with(prefix) ? 1 : 0;
  return count;
}

struct PruneBench : StoreBench {
  PruneBench() { clock.set(1'000'000'000); }

  void put_at(const std::string& name, const std::string& content, std::int64_t days_ago) {
    const UnixSeconds now = clock.now();
    clock.set(now - days_ago * k_day);
    REQUIRE(put(name, content));
    clock.set(now);
  }
  api::PruneEvent prune(const api::PruneRules& rules) {
    Store::PrunePolicy policy;
    policy.lease = k_day / 2;
    const auto event = store->prune(rules, policy, "tester",
                                    [this](const api::PruneEvent& each) { told.push_back(each); }, {});
    REQUIRE(event);
    return *event;
  }
  static api::PruneRules unused_for(std::int64_t days) {
    api::PruneRules rules;
    rules.name_space = "downloads";
    rules.unused_for = days * k_day;
    rules.apply = true;
    return rules;
  }
  std::vector<api::TrashGeneration> trash() {
    std::vector<api::TrashGeneration> all;
    REQUIRE(store->list_trash([&](const api::TrashGeneration& each) {
      all.push_back(each);
      return true;
    }));
    return all;
  }

  std::vector<api::PruneEvent> told;
};

}  // namespace

TEST_CASE("a plan changes nothing", "[prune]") {
  PruneBench bench;
  bench.put_at("downloads/old", "old", 40);
  api::PruneRules rules = PruneBench::unused_for(30);
  rules.apply = false;
  rules.list = true;
  const api::PruneEvent event = bench.prune(rules);
  CHECK(event.by_reason.at("unused").names == 1);
  CHECK(event.by_reason.at("unused").freed == 3);
  CHECK(event.removed.names == 0);
  REQUIRE(bench.told.size() == 1);
  CHECK(bench.told[0].path == "downloads/old");
  CHECK(bench.has("downloads/old"));
  CHECK(bench.trash().empty());
}

TEST_CASE("what is pruned lies in the trash, and comes back as it was", "[prune]") {
  PruneBench bench;
  bench.put_at("downloads/a/old", "old", 40);
  bench.put_at("downloads/a/older", "older", 50);
  bench.put_at("downloads/new", "new", 1);
  const Entry before = *bench.store->stat(bench.key("downloads/a/old"));
  const api::PruneEvent event = bench.prune(PruneBench::unused_for(30));
  CHECK(event.removed.names == 2);
  CHECK(event.removed.freed == 8);
  CHECK_FALSE(bench.has("downloads/a/old"));
  CHECK(bench.has("downloads/new"));
  CHECK(count_below(bench, "objects/") == 3);

  const auto trash = bench.trash();
  REQUIRE(trash.size() == 1);
  CHECK(trash[0].generation == event.generation);
  CHECK(trash[0].names == 2);
  CHECK(trash[0].bytes == 8);
  CHECK(trash[0].actor == "tester");
  CHECK(trash[0].why == "prune: unused");

  const auto undone = bench.store->undo(0, "tester");
  REQUIRE(undone);
  CHECK(undone->names == 2);
  CHECK(undone->generation == event.generation);
  CHECK(*bench.get("downloads/a/old") == "old");
  CHECK(*bench.store->stat(bench.key("downloads/a/old")) == before);
  CHECK(bench.trash().empty());
  CHECK(count_below(bench, "trash/") == 0);
  CHECK(bench.store->undo(0, "tester").error().code() == Errc::not_found);
  REQUIRE(bench.store->reconcile({}));
}

TEST_CASE("emptying the trash frees what the plan said", "[prune]") {
  PruneBench bench;
  bench.put_at("downloads/a", "the same", 40);
  bench.put_at("downloads/b", "the same", 40);
  bench.put_at("downloads/c", "kept by another name", 40);
  bench.put_at("downloads/d", "kept by another name", 1);
  bench.put_at("generic/empty", "", 40);
  const api::PruneEvent event = bench.prune(PruneBench::unused_for(30));
  CHECK(event.removed.names == 3);
  CHECK(event.removed.freed == 8);
  CHECK(count_below(bench, "objects/") == 2);
  const std::uint64_t before = bench.store->totals()->physical_bytes;
  const auto emptied = bench.store->empty_trash({}, {});
  REQUIRE(emptied);
  CHECK(emptied->names == 3);
  CHECK(emptied->freed == 8);
  CHECK(bench.store->totals()->physical_bytes == before - 8);
  CHECK(count_below(bench, "objects/") == 1);
  CHECK(count_below(bench, "trash/") == 0);
  CHECK(*bench.get("downloads/d") == "kept by another name");
}

TEST_CASE("the trash empties by age, by need and by generation", "[prune]") {
  PruneBench bench;
  for (int i = 0; i < 4; ++i) {
    const std::string name = "downloads/" + std::to_string(i);
    bench.put_at(name, std::string(100, static_cast<char>('a' + i)), 1);
    REQUIRE(bench.remove(name));
    bench.clock.set(bench.clock.now() + k_day);
  }
  CHECK(bench.trash().size() == 4);
  Store::TrashSelection by_age;
  by_age.removed_before = bench.clock.now() - 3 * k_day;
  CHECK(bench.store->empty_trash(by_age, {})->names == 1);
  Store::TrashSelection by_need;
  by_need.enough = 1;
  CHECK(bench.store->empty_trash(by_need, {})->freed == 100);
  Store::TrashSelection one;
  one.generation = bench.trash()[0].generation;
  CHECK(bench.store->empty_trash(one, {})->names == 1);
  CHECK(bench.trash().size() == 1);
}

TEST_CASE("the ledger tells of each generation that left the trash, once", "[prune]") {
  PruneBench bench;
  for (int i = 0; i < 300; ++i) bench.put_at("downloads/" + std::to_string(i), "x" + std::to_string(i), 40);
  const std::uint64_t many = bench.prune(PruneBench::unused_for(30)).generation;
  bench.put_at("generic/one", "four", 0);
  REQUIRE(bench.remove("generic/one"));
  const std::uint64_t one = bench.trash().back().generation;
  const std::uint64_t before = bench.store->generation();
  Store::TrashSelection everything;
  everything.actor = "ci@192.0.2.7";
  everything.why = "by hand";
  REQUIRE(bench.store->empty_trash(everything, {}));
  LedgerQuery query;
  query.action = LedgerAction::empty;
  const auto told = bench.store->ledger(query, bench.store->generation() + 1, 10);
  REQUIRE(told);
  REQUIRE(told->lines.size() == 2);
  CHECK(told->lines[1].record.key == "@trash/" + std::to_string(many));
  CHECK(told->lines[0].record.key == "@trash/" + std::to_string(one));
  CHECK(told->lines[0].record.size == 4);
  CHECK(told->lines[0].record.actor == "ci@192.0.2.7");
  CHECK(told->lines[0].record.why == "by hand");
  CHECK(bench.store->changes("downloads", before, 10)->changes.empty());  // no name changed
  REQUIRE(bench.store->empty_trash(everything, {}));
  CHECK(bench.store->generation() == before + 2);  // nothing went
}

TEST_CASE("more names than go at once go, and come back, each with its line in the ledger", "[prune]") {
  PruneBench bench;
  constexpr std::size_t k_names = 300;
  for (std::size_t i = 0; i < k_names; ++i)
    bench.put_at("downloads/d" + std::to_string(i % 7) + "/" + std::to_string(i), std::to_string(i % 100),
                 40);
  CHECK(bench.prune(PruneBench::unused_for(30)).removed.names == k_names);
  const auto trash = bench.trash();
  REQUIRE(trash.size() == 1);
  CHECK(trash[0].names == k_names);
  CHECK(bench.store->totals()->namespaces[1].artifacts == 0);
  const auto undone = bench.store->undo(0, "tester");
  REQUIRE(undone);
  CHECK(undone->names == k_names);
  CHECK(bench.store->totals()->namespaces[1].artifacts == k_names);
  CHECK(bench.store->totals()->objects == 100);
  LedgerQuery query;
  query.action = LedgerAction::restore;
  CHECK(bench.store->ledger(query, bench.store->generation() + 1, 1000)->lines.size() == k_names);
  CHECK(bench.trash().empty());
  REQUIRE(bench.store->reconcile({}));
}

TEST_CASE("a stopped undo goes on when asked again", "[prune]") {
  PruneBench bench;
  for (int i = 0; i < 10; ++i) bench.put_at("downloads/" + std::to_string(i), "x" + std::to_string(i), 40);
  (void)bench.prune(PruneBench::unused_for(30));
  std::stop_source stop;
  stop.request_stop();
  CHECK(bench.store->undo(0, "tester", stop.get_token()).error().code() == Errc::cancelled);
  CHECK(bench.store->empty_trash({}, stop.get_token()).error().code() == Errc::cancelled);
  CHECK(bench.store->undo(0, "tester")->names == 10);
}

TEST_CASE("a list to keep that names nothing there is refused", "[prune]") {
  PruneBench bench;
  bench.put_at("downloads/a", "a", 40);
  bench.put_at("downloads/b", "b", 1);
  api::PruneRules rules = PruneBench::unused_for(30);
  rules.keep_names = {"no/such/name"};
  const auto refused = bench.store->prune(rules, {}, "tester", {}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::invalid_argument);
  CHECK(bench.has("downloads/a"));
  rules.keep_names = {"b"};  // there, though these rules do not mean it
  CHECK(bench.prune(rules).removed.names == 1);
}

TEST_CASE("a plan tells when the first lease ends", "[prune]") {
  PruneBench bench;
  bench.put_at("downloads/a", "a", 40);
  bench.put_at("downloads/b", "b", 40);
  bench.store->note(bench.key("downloads/b"), Access::seen);
  bench.clock.set(bench.clock.now() + 100);
  bench.store->note(bench.key("downloads/a"), Access::seen);
  api::PruneRules rules;
  rules.name_space = "downloads";
  rules.max_size = 0;
  const api::PruneEvent event = bench.prune(rules);
  CHECK(event.kept.at("leased") == 2);
  CHECK(event.next_chance == bench.clock.now() - 100 + k_day / 2);
}

TEST_CASE("a name that was stored anew is not overwritten by undo", "[prune]") {
  PruneBench bench;
  bench.put_at("downloads/a", "first", 40);
  const api::PruneEvent event = bench.prune(PruneBench::unused_for(30));
  bench.put_at("downloads/a", "second", 0);
  const auto undone = bench.store->undo(event.generation, "tester");
  REQUIRE(undone);
  CHECK(undone->refused == 1);
  CHECK(undone->names == 0);
  CHECK(*bench.get("downloads/a") == "second");
  CHECK(bench.trash().size() == 1);  // and can still be had, once the name is free
}

TEST_CASE("undo puts no signature beside another archive", "[prune]") {
  PruneBench bench;
  const std::string path = "11/11/sstate:a:t:1:r0:x86:14:" + std::string(64, '1') + "_package.tar.zst";
  const std::string name = "sstate-cache/" + path;
  bench.put_at(name, "archive", 40);
  bench.put_at(name + ".siginfo", "info", 40);
  bench.put_at(name + ".sig", "signature", 40);
  SECTION("of a prune") {
    api::PruneRules rules = PruneBench::unused_for(30);
    rules.name_space = "sstate-cache";
    REQUIRE(bench.prune(rules).removed.names == 3);
    bench.put_at(name, "built again", 0);
    const auto undone = bench.store->undo(0, "tester");
    REQUIRE(undone);
    CHECK(undone->names == 1);
    CHECK(undone->refused == 2);
    CHECK(*bench.get(name + ".siginfo") == "info");  // tells of the hash, and fits every archive of it
    CHECK_FALSE(bench.has(name + ".sig"));
    CHECK(bench.trash().size() == 1);
    REQUIRE(bench.remove(name));
    CHECK(bench.store->undo(undone->generation, "tester")->names == 2);
    CHECK(*bench.get(name) == "archive");
    CHECK(*bench.get(name + ".sig") == "signature");
  }
  SECTION("of one removal after the other") {
    for (const char* ending : {"", ".sig"}) REQUIRE(bench.remove(name + ending));
    bench.clock.set(bench.clock.now() + 1);
    bench.put_at(name, "built again", 0);
    CHECK(bench.store->undo(0, "tester")->refused == 1);
    CHECK_FALSE(bench.has(name + ".sig"));
  }
  SECTION("of the signature alone") {
    REQUIRE(bench.remove(name + ".sig"));
    CHECK(bench.store->undo(0, "tester")->names == 1);
    CHECK(*bench.get(name + ".sig") == "signature");
  }
}

TEST_CASE("what is used between plan and prune stays", "[prune]") {
  PruneBench bench;
  for (int i = 0; i < 3; ++i) bench.put_at("downloads/" + std::to_string(i), "x" + std::to_string(i), 40 + i);
  api::PruneRules rules = PruneBench::unused_for(30);
  rules.list = true;
  const auto event = bench.store->prune(
      rules, {}, "tester",
      [&](const api::PruneEvent&) { bench.store->note(bench.key("downloads/1"), Access::seen); }, {});
  REQUIRE(event);
  CHECK(event->removed.names == 2);
  CHECK(event->changed == 1);
  CHECK(bench.has("downloads/1"));
}

TEST_CASE("a stopped prune leaves a whole store, and can be undone", "[prune]") {
  PruneBench bench;
  for (int i = 0; i < 10; ++i) bench.put_at("downloads/" + std::to_string(i), "x", 40);
  std::stop_source stop;
  stop.request_stop();
  CHECK(bench.store->prune(PruneBench::unused_for(30), {}, "tester", {}, stop.get_token()).error().code() ==
        Errc::cancelled);
  CHECK(bench.has("downloads/9"));
}

TEST_CASE("pins keep names and what matches, through a restart and the loss of the index", "[prune]") {
  PruneBench bench;
  bench.put_at("downloads/release-1.tar", "1", 40);
  bench.put_at("downloads/exact", "2", 40);
  bench.put_at("downloads/other", "3", 40);
  CHECK(*bench.store->pin({"downloads/release-*", "downloads/exact"}, "tester") == 2);
  CHECK(*bench.store->pin({"downloads/exact"}, "tester") == 0);
  CHECK(bench.store->pin({"nowhere"}, "tester").error().code() == Errc::invalid_name);
  REQUIRE(bench.close());
  bench.forget_index();
  REQUIRE(bench.open());
  REQUIRE(bench.store->reconcile({}));
  bench.clock.set(bench.clock.now() + 400 * k_day);
  const api::PruneEvent event = bench.prune(PruneBench::unused_for(30));
  CHECK(event.kept.at("pinned") == 2);
  CHECK(event.removed.names == 1);
  CHECK_FALSE(bench.has("downloads/other"));
  CHECK(*bench.store->unpin({"downloads/release-*", "downloads/none"}, "tester") == 1);
  CHECK(bench.store->pins() == std::vector<std::string>{"downloads/exact"});
  CHECK(bench.prune(PruneBench::unused_for(30)).removed.names == 1);
}

TEST_CASE("what lies in the trash can be brought back after the index was lost", "[prune]") {
  PruneBench bench;
  bench.put_at("downloads/a", "content", 40);
  bench.put_at("downloads/b", "other", 1);
  (void)bench.prune(PruneBench::unused_for(30));
  REQUIRE(bench.close());
  bench.forget_index();
  REQUIRE(bench.open());
  REQUIRE(bench.store->reconcile({}));
  REQUIRE(bench.remove("downloads/b"));  // gets a generation of its own, above those in the trash
  CHECK(bench.trash().size() == 2);
  CHECK(bench.store->undo(bench.trash()[0].generation, "tester")->names == 1);
  CHECK(*bench.get("downloads/a") == "content");
}
