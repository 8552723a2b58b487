// Names that move and go while others do the same.
#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

TEST_CASE("two renames of the same bytes in opposite directions lose nothing", "[store][rename]") {
  StoreBench bench(Durability::none);
  const std::string one = "downloads/one.tar";
  const std::string other = "downloads/other.tar";
  for (int round = 0; round < 300; ++round) {
    REQUIRE(bench.put(one, "the same"));
    REQUIRE(bench.put(other, "the same"));
    std::thread there([&] { (void)bench.store->rename(bench.key(one), bench.key(other), "a"); });
    std::thread back([&] { (void)bench.store->rename(bench.key(other), bench.key(one), "b"); });
    there.join();
    back.join();
    INFO("round " << round);
    REQUIRE((bench.has(one) || bench.has(other)));
  }
}

TEST_CASE("a rename to itself changes nothing", "[store][rename]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a", "content"));
  REQUIRE(bench.store->rename(bench.key("downloads/a"), bench.key("downloads/a"), "somebody"));
  CHECK(*bench.get("downloads/a") == "content");
}

TEST_CASE("several locks of a table are taken once each, in any order of keys", "[store][lock]") {
  LockTable<std::string> table;
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back(std::to_string(i));
  std::atomic<bool> too_many{false};
  const auto take = [&](bool backwards) {
    for (int round = 0; round < 200; ++round) {
      std::vector<const std::string*> keys;
      for (const std::string& each : names) keys.push_back(&each);
      if (backwards) std::reverse(keys.begin(), keys.end());
      keys.push_back(keys.front());
      const auto locks = table.lock_all(keys);
      if (locks.size() > names.size()) too_many = true;
    }
  };
  std::thread other(take, true);
  take(false);
  other.join();
  CHECK_FALSE(too_many);
}

TEST_CASE("what is pruned for good is nowhere, and what shares its bytes stays", "[store][prune]") {
  StoreBench bench;
  bench.clock.set(1'000'000);
  REQUIRE(bench.put("generic/a/1", "shared"));
  REQUIRE(bench.put("generic/a/2", "shared"));
  REQUIRE(bench.put("generic/b", "of two names, one stays"));
  REQUIRE(bench.put("downloads/b", "of two names, one stays"));
  REQUIRE(bench.put("generic/empty", ""));
  const auto pruned = bench.prune("generic", "*", StoreBench::Into::nothing);
  REQUIRE(pruned);
  CHECK(pruned->removed.names == 4);
  CHECK(pruned->removed.freed == 6);
  CHECK(bench.store->undo(0, "somebody").error().code() == Errc::not_found);
  CHECK(*bench.get("downloads/b") == "of two names, one stays");
  std::vector<std::string> left;
  for (const std::string& file : bench.memory.files()) {
    if (file.starts_with("tree/") || file.starts_with("trash/")) left.push_back(file);
  }
  CHECK(left == std::vector<std::string>{"tree/downloads/b"});
  CHECK(bench.store->totals()->objects == 1);
}
