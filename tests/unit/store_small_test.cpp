#include "server/store/layout.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

using Outcome = Receipt::Outcome;

TEST_CASE("uploads that go together end each in its own way", "[store]") {
  const Durability durability = GENERATE(Durability::each, Durability::batch, Durability::none);
  StoreBench bench(durability);
  REQUIRE(bench.put("sstate-cache/known", "known"));
  REQUIRE(bench.put("downloads/git2_grows.tar.gz", "short"));
  const auto outcomes = bench.put_together({
      {"sstate-cache/new", "new"},
      {"sstate-cache/known", "known"},
      {"sstate-cache/known", "other"},
      {"sstate-cache/wrong", "bytes", Hasher::of("other bytes")},
      {"nowhere/x", "x"},
      {"downloads/git2_grows.tar.gz", "longer"},
      {"generic/same", "new"},
      {"sstate-cache/empty", ""},
      {"generic/empty", ""},
      {"generic/index.txt", "a list"},
  });
  REQUIRE(outcomes[0]);
  CHECK(outcomes[0]->outcome == Outcome::created);
  CHECK(outcomes[0]->entry.digest == Hasher::of("new"));
  REQUIRE(outcomes[1]);
  CHECK(outcomes[1]->outcome == Outcome::present);
  REQUIRE(outcomes[2]);
  CHECK(outcomes[2]->outcome == Outcome::conflict);
  CHECK(outcomes[3].error().code() == Errc::digest_mismatch);
  CHECK(outcomes[4].error().code() == Errc::not_found);
  REQUIRE(outcomes[5]);
  CHECK(outcomes[5]->outcome == Outcome::replaced);
  CHECK(outcomes[6].ok());
  CHECK(outcomes[7].error().code() == Errc::invalid_argument);
  CHECK(outcomes[8].ok());
  CHECK(outcomes[9].error().code() == Errc::invalid_name);

  CHECK(*bench.get("sstate-cache/new") == "new");
  CHECK(*bench.get("sstate-cache/known") == "known");
  CHECK(*bench.get("downloads/git2_grows.tar.gz") == "longer");
  CHECK(*bench.get("generic/same") == "new");
  CHECK(bench.get("generic/empty")->empty());
  CHECK_FALSE(bench.has("sstate-cache/wrong"));
  CHECK(bench.memory.links(layout::object_path(Hasher::of("new"), 0)) == 3);
  CHECK(bench.store->reserved_bytes() == 0);
  const auto totals = bench.store->totals();
  REQUIRE(totals);
  CHECK(totals->objects == 3);
}

TEST_CASE("of two uploads of one name that go together the first one counts", "[store]") {
  StoreBench bench;
  const auto outcomes = bench.put_together(
      {{"generic/a", "one"}, {"generic/b", "b"}, {"generic/a", "one"}, {"generic/a", "two"}});
  REQUIRE(outcomes[0]);
  CHECK(outcomes[0]->outcome == Outcome::created);
  CHECK(outcomes[1].ok());
  REQUIRE(outcomes[2]);
  CHECK(outcomes[2]->outcome == Outcome::present);
  REQUIRE(outcomes[3]);
  CHECK(outcomes[3]->outcome == Outcome::conflict);
  CHECK(*bench.get("generic/a") == "one");
}

TEST_CASE("an object that a crash cut off is no content for the next upload", "[store]") {
  StoreBench bench(Durability::none);
  const std::string body(3000, 'b');
  const std::string object = layout::object_path(Hasher::of(body), 0);
  REQUIRE(make_directories(bench.memory, parent_of(object)));
  REQUIRE(bench.memory.create_whole(object, std::as_bytes(std::span(body)).first(100)));
  REQUIRE(bench.put_together({{"generic/a", body}})[0]);
  CHECK(*bench.get("generic/a") == body);
  CHECK(bench.memory.content(object) == body);
}

TEST_CASE("a full disk refuses uploads that go together, and keeps nothing of them", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/first", std::string(5000, 'f')));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  const auto before = bench.memory.files();
  bench.memory.limit_space(bench.memory.used() + 100);
  const auto outcomes =
      bench.put_together({{"generic/a", std::string(60000, 'a')}, {"generic/b", std::string(60000, 'b')}});
  CHECK(outcomes[0].error().code() == Errc::no_space);
  CHECK(outcomes[1].error().code() == Errc::no_space);
  CHECK(bench.memory.files() == before);
  CHECK(bench.store->reserved_bytes() == 0);
}

TEST_CASE("what goes together waits for no journal that it fills itself", "[store]") {
  // The journal knows names by a hash only, and of these two it is the same.
  const std::string one = "generic/dLF5F5156wqrUZz1";
  const std::string other = "generic/AbgQMrse-vv:LylN";
  if (std::hash<std::string_view>()(one) != std::hash<std::string_view>()(other)) {
    WARN("another standard library, with other collisions");
    return;
  }
  StoreBench bench(Durability::batch);
  const std::string large((256 << 10) + 1, 'x');  // goes past the journal
  const auto outcomes = bench.put_together({{one, "small"}, {other, large}});
  CHECK(outcomes[0].ok());
  CHECK(outcomes[1].ok());
  CHECK(*bench.get(one) == "small");
  CHECK(*bench.get(other) == large);
}
