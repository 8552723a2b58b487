#include "server/store/checkout.hpp"

#include <string>
#include <vector>

#include "common/tree_rules.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

namespace {

using namespace larder;
using Catch::Matchers::Contains;

// A store and an empty directory elsewhere on the same disk, as far as links go.
struct Bench : StoreBench {
  Bench() : StoreBench(Durability::none) { options.name_space = "generic"; }

  Result<api::CheckoutEvent> checkout(std::stop_token stop = {}) {
    events.clear();
    return store->checkout(
        view, options, [this](const api::CheckoutEvent& event) { events.push_back(event); }, stop);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> found = view_memory.files();
    std::erase(found, std::string(k_view_mark));
    return found;
  }

  MemoryFileSystem view_memory;
  FaultyFileSystem view{view_memory};
  CheckoutOptions options;
  std::vector<api::CheckoutEvent> events;
};

using Names = std::vector<std::string>;

TEST_CASE("a checkout has every name of the namespace, and no other", "[store][checkout]") {
  Bench bench;
  REQUIRE(bench.put("generic/a/b/c", "1"));
  REQUIRE(bench.put("generic/d", "22"));
  REQUIRE(bench.put("generic/empty", ""));
  REQUIRE(bench.put("downloads/other", "3"));
  const auto counts = bench.checkout();
  REQUIRE(counts);
  CHECK(bench.names() == Names{"a/b/c", "d", "empty"});
  CHECK(bench.view_memory.content("a/b/c") == "1");
  CHECK(counts->linked == 3);
  CHECK(counts->bytes == 3);
  CHECK(counts->copied_bytes == 0);
  REQUIRE(bench.events.size() == 1);
  CHECK(bench.events.back().done);
  CHECK(bench.memory.links("tree/generic/d") == 3);  // the object, the name, the view
}

TEST_CASE("a namespace without names makes an empty view", "[store][checkout]") {
  Bench bench;
  REQUIRE(bench.checkout());
  CHECK(bench.names().empty());
}

TEST_CASE("a view of a namespace that was emptied is emptied with --delete", "[store][checkout]") {
  Bench bench;
  REQUIRE(bench.view.make_directory("dir"));
  CHECK_FALSE(bench.checkout());  // somebody's
  REQUIRE(bench.view.remove_directory("dir"));
  REQUIRE(bench.checkout());
  REQUIRE(bench.view.create("stray"));
  bench.options.update = bench.options.remove_extra = true;
  REQUIRE(bench.checkout());
  CHECK(bench.names().empty());
}

TEST_CASE("a view that never got further than its mark may become another one", "[store][checkout]") {
  Bench bench;
  REQUIRE(bench.checkout());
  REQUIRE(bench.put("downloads/a", "1"));
  bench.options.name_space = "downloads";
  REQUIRE(bench.checkout());
  bench.options.name_space = "generic";
  bench.options.update = true;
  CHECK(bench.checkout().error().code() == Errc::conflict);
}

TEST_CASE("an object that can take no further link is copied, and that is said", "[store][checkout]") {
  Bench bench;
  REQUIRE(bench.put("generic/a", "content"));
  bench.view_memory.limit_links(2);
  const auto counts = bench.checkout();
  REQUIRE(counts);
  CHECK(counts->copied == 1);
  CHECK(counts->linked == 0);
  CHECK(counts->copied_bytes == 7);
  REQUIRE(bench.events.size() == 2);
  CHECK(bench.events[0].path == "a");
  CHECK(bench.events[0].outcome == "copied");
  CHECK(bench.view_memory.content("a") == "content");
  CHECK(bench.view_memory.links("a") == 1);
  CHECK((bench.view.status("a")->mode & 0222) == 0);
}

TEST_CASE("a file that nobody sealed is left out", "[store][checkout]") {
  Bench bench;
  REQUIRE(bench.put("generic/a", "1"));
  REQUIRE(bench.memory.create("tree/generic/growing"));
  const auto counts = bench.checkout();
  REQUIRE(counts);
  CHECK(bench.names() == Names{"a"});
  CHECK(counts->failed == 1);
  CHECK(bench.events[0].outcome == "skipped");
}

TEST_CASE("a directory with other content is refused and left as it is", "[store][checkout]") {
  Bench bench;
  REQUIRE(bench.put("generic/a", "1"));
  REQUIRE(bench.view.create("precious"));
  bench.options.update = bench.options.remove_extra = true;
  const auto counts = bench.checkout();
  REQUIRE_FALSE(counts);
  CHECK(counts.error().code() == Errc::conflict);
  CHECK(bench.names() == Names{"precious"});
}

TEST_CASE("an update adds; with --delete the view ends as the namespace is", "[store][checkout]") {
  Bench bench;
  REQUIRE(bench.put("generic/dir/a", "1"));
  REQUIRE(bench.put("generic/b", "2"));
  REQUIRE(bench.checkout());
  CHECK(bench.checkout().error().code() == Errc::conflict);  // not without being asked to update
  REQUIRE(bench.remove("generic/dir/a"));
  REQUIRE(bench.put("generic/c", "3"));
  bench.options.update = true;
  auto counts = bench.checkout();
  REQUIRE(counts);
  CHECK(counts->linked == 1);
  CHECK(counts->present == 1);
  CHECK(counts->removed == 0);
  CHECK(bench.names() == Names{"b", "c", "dir/a"});

  REQUIRE(bench.view.remove("b"));
  REQUIRE(bench.view.create("b"));  // somebody else's
  counts = bench.checkout();
  REQUIRE(counts);
  CHECK(counts->failed == 1);
  bench.options.remove_extra = true;
  counts = bench.checkout();
  REQUIRE(counts);
  CHECK(counts->failed == 0);
  CHECK(counts->removed == 2);
  CHECK(bench.names() == Names{"b", "c"});
  CHECK(bench.view_memory.content("b") == "2");
}

TEST_CASE("a checkout that was stopped or failed goes on when run again", "[store][checkout][fault]") {
  for (std::uint64_t nth = 1;; ++nth) {
    Bench bench;
    REQUIRE(bench.put("generic/dir/a", "1"));
    REQUIRE(bench.put("generic/b", "2"));
    bench.view_memory.limit_links(nth % 2 == 0 ? 2 : 100);  // copies and links
    bench.view.fail(nth, FaultyFileSystem::Mode::from_then_on, EIO);
    (void)bench.checkout();
    const bool struck = bench.view.struck();
    bench.view.heal();
    bench.options.update = true;
    const auto counts = bench.checkout();
    CAPTURE(nth);
    REQUIRE(counts);
    CHECK(bench.names() == Names{"b", "dir/a"});
    CHECK(bench.view_memory.content("dir/a") == "1");
    if (!struck) break;
  }
  Bench bench;
  REQUIRE(bench.put("generic/a", "1"));
  std::stop_source stop;
  stop.request_stop();
  CHECK(bench.checkout(stop.get_token()).error().code() == Errc::cancelled);
}

TEST_CASE("a snapshot that is not there is said", "[store][checkout]") {
  Bench bench;
  bench.options.snapshot = "r1";
  CHECK(bench.checkout().error().code() == Errc::not_found);
  CHECK(bench.view_memory.files().empty());
}

}  // namespace
