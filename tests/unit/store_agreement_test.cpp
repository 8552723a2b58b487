// Index and tree: when one is believed, and what puts them right.
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

const std::string k_name = "sstate-cache/ab/cd/sstate:x.tar.zst";

}  // namespace

TEST_CASE("a row whose file is gone is a miss, and is forgotten", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "first"));
  REQUIRE(bench.memory.remove("tree/" + k_name));
  CHECK(bench.get(k_name).error().code() == Errc::not_found);
  CHECK_FALSE(bench.has(k_name));
  CHECK(bench.store->totals()->logical_bytes == 0);
}

TEST_CASE("a file of another size than stored is never served", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "first"));
  bench.memory.damage("tree/" + k_name, "fir");
  CHECK(bench.get(k_name).error().code() == Errc::not_found);
  CHECK_FALSE(bench.has(k_name));
  CHECK(bench.files_below("trash/").empty());
  CHECK(bench.files_below("quarantine/").size() == 2);  // the name, and what it was filed as
}

TEST_CASE("a new store is in agreement at once, and so is one that was closed", "[store]") {
  StoreBench bench;
  CHECK(bench.store->reconciled());
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
  bench.kill();
  REQUIRE(bench.open());
  CHECK_FALSE(bench.store->reconciled());
}

TEST_CASE("what a comparison passed over is not taken for agreeing", "[store][reconcile]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a", "one"));
  REQUIRE(bench.put("downloads/b", "two"));
  const std::vector<NamespaceConfig> all = bench.options.namespaces;
  const bool index_is_lost = GENERATE(false, true);
  bench.kill();
  if (index_is_lost) bench.forget_index();
  bench.options.namespaces.pop_back();  // generic
  REQUIRE(bench.open());
  REQUIRE(bench.store->reconcile({}));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());  // for those that are configured
  REQUIRE(bench.close());

  bench.options.namespaces = all;
  REQUIRE(bench.open());
  CHECK_FALSE(bench.store->reconciled());
  CHECK(bench.has("generic/a"));
  REQUIRE(bench.store->reconcile({}));
  CHECK(bench.has("generic/a"));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
}

TEST_CASE("a namespace that comes and goes while all is well needs no comparison", "[store][reconcile]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a", "one"));
  REQUIRE(bench.close());
  const std::vector<NamespaceConfig> all = bench.options.namespaces;
  bench.options.namespaces.pop_back();
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
  REQUIRE(bench.close());
  bench.options.namespaces = all;
  bench.options.namespaces.push_back(all.back());
  bench.options.namespaces.back().name = "new";
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
  CHECK(bench.has("generic/a"));
  REQUIRE(bench.put("new/a", "one"));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
}

TEST_CASE("a file put into the tree by hand is found after an unclean stop", "[store]") {
  StoreBench bench;
  bench.kill();
  REQUIRE(make_directories(bench.memory, "tree/generic/by"));
  {
    auto file = bench.memory.create("tree/generic/by/hand");
    REQUIRE((*file)->append(std::as_bytes(std::span(std::string_view("hello")))));
  }
  REQUIRE(bench.open());
  CHECK(*bench.get("generic/by/hand") == "hello");
  const auto report = bench.store->reconcile({});
  REQUIRE(report);
  CHECK(bench.memory.links("tree/generic/by/hand") == 2);  // an object like any other
}

TEST_CASE("what a rebuilt index finds counts as asked for now, not when it was stored",
          "[store][reconcile]") {
  StoreBench bench;
  bench.clock.set(1000);
  REQUIRE(bench.put("generic/a", "one"));
  REQUIRE(bench.close());
  bench.forget_index();
  bench.clock.set(9'000'000);
  REQUIRE(bench.open());
  REQUIRE(bench.store->reconcile({}));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  const auto recency = bench.store->recency(bench.key("generic/a"));
  REQUIRE(recency->has_value());
  CHECK((*recency)->used == 0);
  CHECK((*recency)->seen == 9'000'000);
}
