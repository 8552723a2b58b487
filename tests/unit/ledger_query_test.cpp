#include "server/store/ledger_query.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

namespace {

using namespace larder;

LedgerRecord record() {
  LedgerRecord line;
  line.time = 100;
  line.action = LedgerAction::put;
  line.key = "downloads/pkg/a.tar.gz";
  line.actor = "10.0.0.7";
  return line;
}

TEST_CASE("a query takes what fits all it asks for", "[store][ledger]") {
  const auto taken = [](auto change) {
    LedgerQuery query;
    change(query);
    return takes(query, record());
  };
  CHECK(taken([](LedgerQuery&) {}));
  CHECK(taken([](LedgerQuery& q) { q.name_space = "downloads"; }));
  CHECK_FALSE(taken([](LedgerQuery& q) { q.name_space = "download"; }));
  CHECK(taken([](LedgerQuery& q) { q.match = "pkg/*"; }));
  CHECK(taken([](LedgerQuery& q) { q.match = "downloads/*.gz"; }));
  CHECK_FALSE(taken([](LedgerQuery& q) { q.match = "a.tar.gz"; }));
  CHECK(taken([](LedgerQuery& q) { q.actor = "10.*"; }));
  CHECK_FALSE(taken([](LedgerQuery& q) { q.actor = "10"; }));
  CHECK(taken([](LedgerQuery& q) { q.since = q.until = 100; }));
  CHECK_FALSE(taken([](LedgerQuery& q) { q.since = 101; }));
  CHECK_FALSE(taken([](LedgerQuery& q) { q.until = 99; }));
  CHECK_FALSE(taken([](LedgerQuery& q) { q.action = LedgerAction::remove; }));
}

TEST_CASE("actions are known by their names", "[store][ledger]") {
  CHECK(ledger_action("put") == LedgerAction::put);
  CHECK(ledger_action("corrupt") == LedgerAction::corrupt);
  CHECK(ledger_action("empty") == LedgerAction::empty);
  CHECK_FALSE(ledger_action("unknown"));
  CHECK_FALSE(ledger_action(""));
}

TEST_CASE("the ledger is read backwards, page by page, and ends at its beginning", "[store][ledger]") {
  StoreBench bench(Durability::none);
  for (int i = 1; i <= 5; ++i) REQUIRE(bench.put("downloads/n" + std::to_string(i), std::to_string(i)));
  std::uint64_t below = bench.store->generation() + 1;
  std::vector<std::uint64_t> seen;
  for (bool more = true; more;) {
    const auto page = bench.store->ledger(LedgerQuery(), below, 2);
    REQUIRE(page);
    CHECK(page->lines.size() <= 2);
    for (const auto& line : page->lines) seen.push_back(line.sequence);
    below = page->reached;
    more = page->more;
  }
  CHECK(seen == std::vector<std::uint64_t>{5, 4, 3, 2, 1});
  CHECK(bench.store->ledger(LedgerQuery(), 0, 2)->lines.empty());
}

}  // namespace
