#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

TEST_CASE("a rename gives the content its new name and takes the old one away", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a.tmp", "content"));
  const auto receipt =
      bench.store->rename(bench.key("downloads/a.tmp"), bench.key("downloads/b/a"), "somebody");
  REQUIRE(receipt);
  CHECK(receipt->outcome == Receipt::Outcome::created);
  CHECK(*bench.get("downloads/b/a") == "content");
  CHECK_FALSE(bench.has("downloads/a.tmp"));
  CHECK(bench.files_below("objects/").size() == 1);
  CHECK(bench.files_below("tmp/").empty());
}

TEST_CASE("a rename keeps to the rules of an upload", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a", "first"));
  REQUIRE(bench.put("downloads/b", "second"));
  const auto rename = [&](const std::string& from, const std::string& to) {
    return bench.store->rename(bench.key(from), bench.key(to), "somebody");
  };
  CHECK(rename("downloads/a", "downloads/b")->outcome == Receipt::Outcome::conflict);
  CHECK(*bench.get("downloads/a") == "first");
  CHECK(*bench.get("downloads/b") == "second");
  CHECK(rename("downloads/a", "downloads/index.txt").error().code() == Errc::invalid_name);
  CHECK(rename("downloads/c", "downloads/d").error().code() == Errc::not_found);
  CHECK(rename("downloads/a", "nowhere/a").error().code() == Errc::not_found);
  CHECK(rename("downloads/a", "downloads/a")->outcome == Receipt::Outcome::present);
  CHECK(*bench.get("downloads/a") == "first");
  REQUIRE(bench.put("generic/empty", ""));
  CHECK(rename("generic/empty", "downloads/empty").error().code() == Errc::invalid_argument);
  CHECK(rename("generic/empty", "generic/void")->outcome == Receipt::Outcome::created);
  CHECK(bench.get("generic/void")->empty());
}

TEST_CASE("a rename finds room when the object can take no further link", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a", "content"));
  bench.memory.limit_links(2);
  REQUIRE(bench.store->rename(bench.key("downloads/a"), bench.key("downloads/b"), "somebody"));
  CHECK(*bench.get("downloads/b") == "content");
  CHECK_FALSE(bench.has("downloads/a"));
  CHECK(bench.files_below("tmp/").empty());
}
