// Contents with several inodes: their numbers, and what is set aside of them.
#include "server/store/layout.hpp"
#include "tests/fault/store_checks.hpp"

using namespace larder;
using namespace larder::fault;

namespace {

const std::string k_content = text_of(3000, 'c');
const Digest k_digest = Hasher::of(k_content);

std::string tarball(char name) {
  return std::string("downloads/git2_") + name + ".tar.gz";
}

// As many inodes as names: an object and one name fill one.
void put_apart(StoreBench& bench, std::string_view names) {
  bench.memory.limit_links(2);
  for (const char name : names) REQUIRE(bench.put(tarball(name), k_content));
}

// Objects of the content; of them those that are found by counting.
struct Copies {
  unsigned all = 0;
  unsigned counted = 0;
};
Copies copies_of(const StoreBench& bench) {
  Copies copies;
  for (const std::string& file : bench.memory.files())
    copies.all += file.starts_with(layout::object_path(k_digest, 0)) ? 1 : 0;
  while (bench.memory.links(layout::object_path(k_digest, copies.counted)) > 0) ++copies.counted;
  return copies;
}

void scrub(StoreBench& bench) {
  const auto turn = bench.store->enter_scrub(ScrubState::Who::person);
  REQUIRE(turn);
  (void)bench.store->scrub({}, *turn, [](const api::VerifyEvent&) {}, {});
}

}  // namespace

TEST_CASE("no copy of a content is missed after one before it went, wherever that was cut off",
          "[store][fault]") {
  bool struck = true;
  for (std::uint64_t nth = 1; struck; ++nth) {
    REQUIRE(nth < 100);
    StoreBench bench;
    put_apart(bench, "abc");
    REQUIRE(copies_of(bench).counted == 3);
    bench.disk.fail(nth, FaultyFileSystem::Mode::from_then_on, EIO);
    (void)bench.put(tarball('b'), text_of(3000, 'n'));
    struck = bench.disk.struck();
    bench.disk.heal();
    INFO("operation " << nth);
    CHECK(copies_of(bench).counted == copies_of(bench).all);
    if (!struck) CHECK(copies_of(bench).all == 2);
  }
}

TEST_CASE("no copy of a content is missed after a rotten one was set aside, wherever that was cut off",
          "[store][scrub][fault]") {
  const bool has_room = GENERATE(true, false);
  bool struck = true;
  for (std::uint64_t nth = 1; struck; ++nth) {
    REQUIRE(nth < 400);
    StoreBench bench(Durability::each);  // with the journal what was just uploaded comes back whole
    put_apart(bench, "abc");
    if (has_room) bench.memory.limit_links(3);
    bench.memory.damage("tree/" + tarball('a'), text_of(3000, 'x'));
    bench.disk.fail(nth, FaultyFileSystem::Mode::from_then_on, EIO);
    scrub(bench);
    struck = bench.disk.struck();
    bench.disk.heal();
    INFO("operation " << nth << (has_room ? ", with room" : ", without room"));
    if (has_room) CHECK(copies_of(bench).counted == copies_of(bench).all);
    bench.kill();
    REQUIRE(bench.open());
    REQUIRE(bench.store->reconcile({}));
    CHECK(copies_of(bench).counted == copies_of(bench).all);
    scrub(bench);
    CHECK(copies_of(bench).all == 2);
    CHECK_FALSE(bench.has(tarball('a')));
    for (const char name : {'b', 'c'}) CHECK(*bench.get(tarball(name)) == k_content);
  }
}

TEST_CASE("a rotten object that can take no further link does not keep the store from starting",
          "[store][fault]") {
  StoreBench bench;
  put_apart(bench, "a");
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  bench.memory.damage("tree/" + tarball('a'), text_of(3000, 'x'));
  const bool has_copies = GENERATE(true, false);
  REQUIRE(bench.put_together({{tarball('b'), k_content}})[0]);
  if (!has_copies) {  // as a power cut may leave it
    REQUIRE(bench.memory.remove("tree/" + tarball('b')));
    REQUIRE(bench.memory.remove(layout::object_path(k_digest, 1)));
  }
  bench.kill();
  REQUIRE(bench.open());
  CHECK(*bench.get(tarball('b')) == k_content);
  CHECK(copies_of(bench).counted == 1);
  CHECK(copies_of(bench).all == 1);
  REQUIRE(bench.store->reconcile({}));
  CHECK_FALSE(bench.has(tarball('a')));
  CHECK(*bench.get(tarball('b')) == k_content);
}
