// What a store answers from memory is what the disk has.
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

const std::string k_name = "sstate-cache/ab/cd/sstate:x.tar.zst";

}  // namespace

TEST_CASE("directories are seen from memory as they come and go", "[store]") {
  StoreBench bench;
  CHECK(bench.store->peek_directory("downloads", "a") == Index::Found::miss);
  REQUIRE(bench.put("downloads/a/b/c", "content"));
  CHECK(bench.store->peek_directory("downloads", "") == Index::Found::hit);
  CHECK(bench.store->peek_directory("downloads", "a") == Index::Found::hit);
  CHECK(bench.store->peek_directory("downloads", "a/b") == Index::Found::hit);
  CHECK(bench.store->peek_directory("downloads", "a/b/c") == Index::Found::miss);
  CHECK(bench.store->peek_directory("downloads", "a/") == Index::Found::miss);
  CHECK(bench.store->peek_directory("sstate-cache", "") == Index::Found::miss);
  REQUIRE(bench.remove("downloads/a/b/c"));
  CHECK(bench.store->peek_directory("downloads", "a") == Index::Found::miss);
}

TEST_CASE("all names in memory follow what is stored, replaced and removed, and take little", "[store]") {
  StoreBench bench;
  for (int i = 0; i < 100; ++i)
    REQUIRE(bench.put("generic/n" + std::to_string(i), "content " + std::to_string(i)));
  CHECK(bench.store->bytes_of_names() == 0);
  REQUIRE(bench.store->load_names(4_MiB, {}));
  CHECK(bench.store->bytes_of_names() > 0);
  CHECK(bench.store->bytes_of_names() < (4_MiB).bytes);
  Entry entry;
  CHECK(bench.store->peek(bench.key("generic/n7"), entry) == Found::hit);
  CHECK(entry.digest == Hasher::of("content 7"));
  CHECK(bench.store->peek(bench.key("generic/n100"), entry) == Found::miss);

  REQUIRE(bench.remove("generic/n7"));
  REQUIRE(bench.put("generic/n100", "new"));
  REQUIRE(bench.put("downloads/git2_host.repo.tar", "first"));
  REQUIRE(bench.put("downloads/git2_host.repo.tar", "second"));
  CHECK(bench.store->peek(bench.key("generic/n7"), entry) == Found::miss);
  CHECK(bench.store->peek(bench.key("generic/n100"), entry) == Found::hit);
  CHECK(bench.store->peek(bench.key("downloads/git2_host.repo.tar"), entry) == Found::hit);
  CHECK(entry.digest == Hasher::of("second"));
}

TEST_CASE("who stores a name hears the same with all names in memory as without", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "content"));
  REQUIRE(bench.put("generic/gone", "content"));
  REQUIRE(bench.remove("generic/gone"));
  REQUIRE(bench.store->load_names(4_MiB, {}));

  const auto again = bench.put(k_name, "content");
  REQUIRE(again);
  CHECK(again->outcome == Receipt::Outcome::present);
  const auto other = bench.put(k_name, "other content");
  REQUIRE(other);
  CHECK(other->outcome == Receipt::Outcome::conflict);
  const auto anew = bench.put("generic/gone", "other content");
  REQUIRE(anew);
  CHECK(anew->outcome == Receipt::Outcome::created);
  const auto content = bench.get("generic/gone");
  REQUIRE(content);
  CHECK(*content == "other content");
  const auto totals = bench.store->totals();
  REQUIRE(totals);
  CHECK(totals->objects == 2);
}

TEST_CASE("names that do not fit into memory are found all the same", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "content"));
  const auto loaded = bench.store->load_names(ByteSize{1}, {});
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code() == Errc::too_large);
  Entry entry;
  CHECK(bench.store->peek(bench.key(k_name), entry) == Found::hit);
  CHECK(bench.store->bytes_of_names() == 0);
}

TEST_CASE("a removed, replaced or damaged content is not at hand any more", "[store]") {
  StoreBench bench;
  const auto at_hand = [&](const std::string& content) {
    Entry entry;
    entry.digest = Hasher::of(content);
    entry.size = content.size();
    OpenArtifact artifact;
    return bench.store->ready_content(entry, artifact);
  };
  const std::string tarball = "downloads/git2_host.repo.tar";
  REQUIRE(bench.put(k_name, "removed"));
  REQUIRE(bench.put(tarball, "replaced"));
  REQUIRE(bench.get(k_name));
  REQUIRE(bench.get(tarball));
  CHECK(at_hand("removed"));
  CHECK(at_hand("replaced"));
  REQUIRE(bench.remove(k_name));
  REQUIRE(bench.put(tarball, "new"));
  CHECK_FALSE(at_hand("removed"));
  CHECK_FALSE(at_hand("replaced"));
}
