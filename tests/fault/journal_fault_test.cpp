// What the upload journal makes of the tree after an unclean stop.
#include "server/store/layout.hpp"
#include "tests/fault/store_checks.hpp"

using namespace larder;
using namespace larder::fault;

namespace {

using Loss = MemoryFileSystem::Loss;

}  // namespace

TEST_CASE("what was acknowledged is placed again though its namespace is not configured any more",
          "[store][fault]") {
  StoreBench bench;
  prepare(bench);
  REQUIRE(bench.put("generic/a/one", text_of(3000, '1')));
  const std::vector<NamespaceConfig> all = bench.options.namespaces;
  bench.options.namespaces.pop_back();
  bench.power_cut(Loss::everything);
  REQUIRE(bench.open());
  REQUIRE(bench.close());
  bench.options.namespaces = all;
  REQUIRE(bench.open());
  const auto content = bench.get("generic/a/one");
  REQUIRE(content);
  CHECK(*content == text_of(3000, '1'));
  check_agreement(bench);
}

TEST_CASE("a replacement that only the journal knows of is placed again, and who uploaded it is known",
          "[store][fault]") {
  StoreBench bench;
  prepare(bench);
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  bench.clock.set(1'000'000);
  REQUIRE(bench.put(k_tarball, text_of(7000, 't')));
  bench.power_cut(Loss::everything);
  const bool index_is_lost = GENERATE(false, true);
  if (index_is_lost) bench.forget_index();
  REQUIRE(bench.open());
  const auto content = bench.get(k_tarball);
  REQUIRE(content);
  CHECK(*content == text_of(7000, 't'));
  CHECK(bench.store->stat(bench.key(k_tarball))->stored == 1'000'000);
  check_agreement(bench);
  LedgerQuery query;
  query.match = k_tarball;
  const auto ledger = bench.store->ledger(query, bench.store->generation() + 1, 10);
  REQUIRE(ledger);
  CHECK(std::any_of(ledger->lines.begin(), ledger->lines.end(), [](const auto& each) {
    return each.record.digest == Hasher::of(text_of(7000, 't')) && each.record.actor == "test";
  }));
}

TEST_CASE("a lost write is looked for at the next start, and the mark of it goes", "[store][fault]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a/one", text_of(3000, '1')));
  REQUIRE(bench.memory.create(layout::k_journal_lost));
  bench.kill();
  REQUIRE(bench.open());
  CHECK_FALSE(bench.memory.status(layout::k_journal_lost));
  CHECK(bench.has("generic/a/one"));
}

TEST_CASE("after a clean stop a power cut brings nothing back that was removed", "[store][fault]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a/one", text_of(3000, '1')));
  REQUIRE(bench.put("generic/a/two", text_of(3000, '2')));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  REQUIRE(bench.prune("generic", "*", StoreBench::Into::nothing)->removed.names == 2);
  REQUIRE(bench.close());
  bench.memory.crash(Loss::everything);
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
  CHECK(bench.memory.files().size() == std::size_t{1} + 2);  // the format and the journal
  CHECK_FALSE(bench.has("generic/a/one"));
}

TEST_CASE("who sends again what a killed daemon had linked can rely on the answer", "[store][fault]") {
  for (const Durability durability : {Durability::batch, Durability::each}) {
    StoreBench bench(durability);
    prepare(bench);
    REQUIRE(bench.close());
    REQUIRE(bench.open());
    const std::string content = text_of(durability == Durability::batch ? 400'000 : 3000, 'n');
    // Whatever it does, as far as it comes before it is killed.
    const std::uint64_t before = bench.disk.operations();
    REQUIRE(bench.put("generic/n/new", content));
    const std::uint64_t operations = bench.disk.operations() - before + 8;
    for (std::uint64_t nth = 1; nth < operations; ++nth) {
      bench.disk.fail(nth, FaultyFileSystem::Mode::from_then_on, EIO);
      (void)bench.put("generic/n/new" + std::to_string(nth), content);
      bench.kill();
      bench.disk.heal();
      REQUIRE(bench.open());
      REQUIRE(bench.put("generic/n/new" + std::to_string(nth), content));
      bench.power_cut(Loss::everything);
      REQUIRE(bench.open());
      INFO(nth);
      CHECK(bench.has("generic/n/new" + std::to_string(nth)));
    }
  }
}

TEST_CASE("an upload is placed again over what a removal that did not last brings back", "[store][fault]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a/one", text_of(3000, '1')));
  REQUIRE(bench.put("generic/a/stays", text_of(3000, 's')));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  api::PruneRules rules;
  rules.name_space = "generic";
  rules.match = {"a/one"};
  rules.apply = true;
  rules.no_trash = true;
  rules.ignore_lease = true;
  REQUIRE(bench.store->prune(rules, {}, "somebody", {}, {}));
  REQUIRE(bench.put("generic/a/one", text_of(3000, '2')));
  bench.power_cut(Loss::everything);  // which forgets the removal, too
  REQUIRE(bench.memory.content("tree/generic/a/one") == text_of(3000, '1'));
  REQUIRE(bench.open());
  const auto content = bench.get("generic/a/one");
  REQUIRE(content);
  CHECK(*content == text_of(3000, '2'));
  check_agreement(bench);
}

TEST_CASE("what a lane has is placed again, whatever the namespace below was given since", "[store][fault]") {
  StoreBench bench;
  REQUIRE(bench.close());
  NamespaceConfig lane;
  lane.name = "lane";
  lane.kind = NamespaceKind::sstate;
  lane.overlay = "sstate-cache";
  bench.options.namespaces.push_back(lane);
  REQUIRE(bench.open());
  REQUIRE(bench.put("lane/a", text_of(3000, '1')));
  const bool same = GENERATE(true, false);
  const std::string below = same ? text_of(3000, '1') : text_of(300'000, '2');  // too large for the journal
  REQUIRE(bench.put("sstate-cache/a", below));
  bench.power_cut(Loss::everything);
  REQUIRE(bench.open());
  const auto content = bench.get("lane/a");
  REQUIRE(content);
  CHECK(*content == text_of(3000, '1'));
  CHECK(*bench.get("sstate-cache/a") == below);
  check_agreement(bench);
}

TEST_CASE("old names of a rotten object do not take its bytes for theirs after an unclean stop",
          "[store][fault]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/old", text_of(3000, '1')));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  bench.memory.damage("tree/generic/old", text_of(3000, 'x'));
  REQUIRE(bench.put("generic/new", text_of(3000, '1')));
  bench.kill();
  REQUIRE(bench.open());
  CHECK(*bench.get("generic/new") == text_of(3000, '1'));
  REQUIRE(bench.store->reconcile({}));
  const auto old = bench.get("generic/old");
  if (old) CHECK(*old == text_of(3000, '1'));
  CHECK(bench.store->stat(bench.key("generic/new"))->digest == Hasher::of(text_of(3000, '1')));
}
