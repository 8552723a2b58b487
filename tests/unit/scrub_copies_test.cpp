// The scrub of a content that has several inodes, because one takes only so many links.
#include <cerrno>

#include "tests/support/scrub_checks.hpp"

using namespace larder;
using namespace larder::scrubbing;

namespace {

std::string copy_of_shared(unsigned copy) {
  return layout::object_path(Hasher::of("shared"), copy);
}

// "shared" under generic/1 to generic/6, two of them to an inode.
struct CopiesBench : StoreBench {
  CopiesBench() {
    clock.set(1'000'000);
    memory.limit_links(3);
    for (int i = 1; i <= 6; ++i) REQUIRE(put("generic/" + std::to_string(i), "shared"));
    REQUIRE(files_below("objects/").size() == 3);
  }
};

}  // namespace

TEST_CASE("every inode of a content is read once in a pass", "[scrub]") {
  CopiesBench bench;
  for (int pass = 0; pass < 2; ++pass) {
    const Findings found = scrub(bench);
    INFO(text_of(found));
    CHECK(found.sound());
    CHECK(found.last.hashed == 3);
  }
  CHECK(scrub(bench, ScrubLevel::quick).last.hashed == 0);
}

TEST_CASE("of several inodes of a content the damaged one is quarantined, whichever it is", "[scrub]") {
  for (const unsigned damaged : {0U, 1U, 2U}) {
    CopiesBench bench;
    bench.memory.damage(copy_of_shared(damaged), "Shared");
    const Findings found = scrub(bench);
    INFO(damaged << "\n" << text_of(found));
    CHECK(found.defects.size() == 2);
    for (unsigned i = 1; i <= 6; ++i) {
      const std::string name = "generic/" + std::to_string(i);
      const bool bad = (i - 1) / 2 == damaged;
      CHECK(found.count("corrupt", name) == (bad ? 1 : 0));
      CHECK(bench.has(name) == !bad);
      if (!bad) CHECK(*bench.get(name) == "shared");
    }
    CHECK(bench.files_below("objects/").size() == 2);
    CHECK(scrub(bench).sound());
  }
}

TEST_CASE("an inode that takes a damaged one's place is read, too", "[scrub][trash]") {
  CopiesBench bench;
  REQUIRE(bench.prune("generic", "*", StoreBench::Into::trash));  // no name leads the check to them
  bench.memory.damage(copy_of_shared(0), "Shared");
  bench.memory.damage(copy_of_shared(2), "shareD");
  const Findings found = scrub(bench);
  INFO(text_of(found));
  CHECK(found.count("corrupt") == 4);
  CHECK(found.last.defects == 4);
  CHECK(bench.files_below("objects/") == std::vector<std::string>{copy_of_shared(0)});
  CHECK(bench.memory.content(copy_of_shared(0)) == "shared");
  CHECK(scrub(bench).sound());
  CHECK(bench.store->undo(0, "test")->names == 2);
}

TEST_CASE("an unreadable inode is told of by its own path", "[scrub]") {
  CopiesBench bench;
  REQUIRE(bench.prune("generic", "*", StoreBench::Into::trash));
  bench.disk.watch([&](std::string_view operation, const std::string& path) {
    if (operation == "open" && path == copy_of_shared(1))
      bench.disk.fail(1, FaultyFileSystem::Mode::once, EIO);
  });
  const Findings found = scrub(bench);
  INFO(text_of(found));
  CHECK(found.count("unreadable", copy_of_shared(1)) == 1);
  CHECK(found.defects.size() == 1);
}
