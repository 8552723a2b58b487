// The scrub in snapshots: what only a snapshot has, and what somebody did to one by hand.
#include "tests/support/scrub_checks.hpp"

using namespace larder;
using namespace larder::scrubbing;

namespace {

const std::string k_twin = "sstate-cache/ab/cd/sstate:z.siginfo";  // as many bytes as those of k_name

std::string frozen(const std::string& name) {
  return "@r1/" + name;
}

std::string frozen_file(const std::string& name) {
  return "snapshots/r1/" + name;
}

void create_snapshot(StoreBench& bench, const std::string& name) {
  api::SnapshotRequest request;
  request.name = name;
  REQUIRE(bench.store->create_snapshot(request, "tester"));
}

void remove_for_good(StoreBench& bench, const std::string& name) {
  REQUIRE(bench.remove(name));
  REQUIRE(bench.store->empty_trash({}, {}));
}

// k_name is only in the snapshot r1, everything else in its namespace as well.
void fill_and_freeze(StoreBench& bench) {
  fill(bench);
  REQUIRE(bench.put(k_twin, "CONTENT"));
  create_snapshot(bench, "r1");
  remove_for_good(bench, k_name);
}

void put_by_hand(StoreBench& bench, const std::string& path, std::string_view content) {
  if (bench.memory.status(path)) REQUIRE(bench.memory.remove(path));
  const auto file = bench.memory.create(path);
  REQUIRE(file);
  REQUIRE((*file)->append(std::as_bytes(std::span(content))));
}

}  // namespace

TEST_CASE("a sound snapshot is found sound, and what it shares with the tree is read once",
          "[scrub][snapshot]") {
  StoreBench bench;
  fill_and_freeze(bench);
  for (const ScrubLevel level : {ScrubLevel::quick, ScrubLevel::sample, ScrubLevel::full}) {
    const Findings found = scrub(bench, level);
    INFO(text_of(found));
    CHECK(found.sound());
    CHECK(found.last.names == 6 + 7);
    CHECK(found.last.objects == 5);
  }
  CHECK(scrub(bench).last.hashed == 5);
  CHECK(repair(bench).sound());
}

TEST_CASE("what only a snapshot has is read back, and leaves it when a bit of it has flipped",
          "[scrub][snapshot]") {
  StoreBench bench;
  fill_and_freeze(bench);
  bench.memory.damage(object_of("content"), "Content");
  const Findings found = scrub(bench);
  INFO(text_of(found));
  CHECK(found.defects.size() == 1);
  CHECK(found.count("corrupt", frozen(k_name)) == 1);
  CHECK_FALSE(bench.has(frozen(k_name)));
  CHECK(scrub(bench).sound());
}

TEST_CASE("two names of a snapshot that were swapped are served no more", "[scrub][snapshot]") {
  StoreBench bench;
  fill_and_freeze(bench);
  REQUIRE(bench.memory.replace(frozen_file(k_name), "tmp/aside"));
  REQUIRE(bench.memory.replace(frozen_file(k_twin), frozen_file(k_name)));
  REQUIRE(bench.memory.replace("tmp/aside", frozen_file(k_twin)));
  const Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.defects.size() == 2);
  CHECK(found.count("corrupt", frozen(k_name)) == 1);
  CHECK(found.count("corrupt", frozen(k_twin)) == 1);
  CHECK(found.last.repaired == 2);
  CHECK_FALSE(bench.has(frozen(k_name)));
  CHECK_FALSE(bench.has(frozen(k_twin)));
  CHECK(*bench.get(frozen(k_other)) == "other bytes");
  CHECK(*bench.get(k_twin) == "CONTENT");
  const auto snapshots = bench.store->snapshots();
  REQUIRE(snapshots.size() == 1);
  for (const api::SnapshotStat::Space& each : snapshots[0].namespaces)
    if (each.name == "sstate-cache") CHECK(each.artifacts == 1);
  CHECK(scrub(bench).sound());
}

TEST_CASE("a name of a snapshot that was replaced by hand is served no more", "[scrub][snapshot]") {
  StoreBench bench;
  fill_and_freeze(bench);
  put_by_hand(bench, frozen_file(k_twin), "Content");
  put_by_hand(bench, frozen_file("generic/empty"), "not empty");
  const Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.defects.size() == 2);
  CHECK(found.count("corrupt", frozen(k_twin)) == 1);
  CHECK(found.count("corrupt", frozen("generic/empty")) == 1);
  CHECK_FALSE(bench.has(frozen(k_twin)));
  CHECK(*bench.get(k_twin) == "CONTENT");
  CHECK(scrub(bench).sound());
}

TEST_CASE("a copy in a snapshot becomes a link again, and a foreign file there is entered when asked",
          "[scrub][snapshot]") {
  StoreBench bench;
  fill_and_freeze(bench);
  const auto links = bench.memory.links(object_of("content"));
  put_by_hand(bench, frozen_file(k_name), "content");
  put_by_hand(bench, frozen_file("generic/foreign"), "by hand");
  put_by_hand(bench, "snapshots/r1/stray", "of no namespace");
  const Findings found = repair(bench);
  INFO(text_of(found));
  CHECK(found.count("apart", frozen(k_name)) == 1);
  CHECK(found.count("unknown_file", frozen("generic/foreign")) == 1);
  CHECK(found.count("foreign", "snapshots/r1/stray") == 1);
  CHECK(found.defects.size() == 3);
  CHECK(bench.memory.links(object_of("content")) == links);
  CHECK(*bench.get(frozen("generic/foreign")) == "by hand");
  REQUIRE(bench.memory.remove("snapshots/r1/stray"));
  CHECK(scrub(bench).sound());
}

TEST_CASE("a name that was deleted from a snapshot is dropped from the index", "[scrub][snapshot]") {
  StoreBench bench;
  fill_and_freeze(bench);
  REQUIRE(bench.memory.remove(frozen_file(k_other)));
  Findings found = scrub(bench);
  INFO(text_of(found));
  CHECK(found.defects.size() == 1);
  CHECK(found.count("stale_row", frozen(k_other)) == 1);
  CHECK(bench.has(frozen(k_other)));
  found = repair(bench);
  CHECK(found.last.repaired == 1);
  CHECK_FALSE(bench.has(frozen(k_other)));
  CHECK(*bench.get(k_other) == "other bytes");
  CHECK(scrub(bench).sound());
}

TEST_CASE("a lost object is made anew from the snapshot that alone has its bytes", "[scrub][snapshot]") {
  StoreBench bench;
  fill(bench);
  create_snapshot(bench, "r1");
  const auto objects = bench.store->totals()->objects;
  const bool record_is_lost = GENERATE(false, true);
  if (!record_is_lost) remove_for_good(bench, k_name);
  REQUIRE(bench.memory.remove(object_of("content")));
  if (record_is_lost) remove_for_good(bench, k_name);
  CHECK(bench.store->totals()->objects == objects - (record_is_lost ? 1 : 0));

  Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.defects.size() == 1);
  CHECK(found.count("lost_object", frozen(k_name)) == 1);
  CHECK(found.last.repaired == 0);

  found = repair(bench);
  INFO(text_of(found));
  CHECK(found.defects.size() == 1);
  CHECK(found.last.repaired == 1);
  CHECK(bench.memory.links(object_of("content")) == 2);
  CHECK(*bench.get(frozen(k_name)) == "content");
  CHECK(bench.store->totals()->objects == objects);  // the namespace's, which are all that count
  CHECK(scrub(bench).sound());
}

TEST_CASE("a snapshot that is made, or goes while it is looked at, is no defect", "[scrub][snapshot]") {
  StoreBench bench;
  fill_and_freeze(bench);
  REQUIRE(make_directories(bench.memory, "snapshots/.r2/generic"));
  put_by_hand(bench, "snapshots/.r2/generic/half", "half of");
  // During the walk, where a name is looked at; or afterwards, where its row is.
  const int goes_at = GENERATE(1, 2);
  int looks = 0;
  bench.disk.watch([&](std::string_view operation, const std::string& path) {
    if (path != frozen_file("generic/shared-1") || operation != "examine") return;
    if (++looks == goes_at) REQUIRE(bench.store->remove_snapshot("r1", "tester"));
  });
  const Findings found = repair(bench);
  bench.disk.watch({});
  INFO(text_of(found));
  CHECK(looks >= goes_at);
  CHECK(found.sound());
  CHECK(scrub(bench).sound());
  CHECK(bench.memory.status("snapshots/.r2/generic/half"));
  REQUIRE(bench.store->clear_snapshots({}));
  CHECK(scrub(bench).sound());
}

TEST_CASE("a run that was bound by time goes on within a snapshot", "[scrub][snapshot]") {
  StoreBench bench;
  bench.clock.set(1'000'000);
  constexpr int k_names = 30;
  for (int i = 0; i < k_names; ++i)
    REQUIRE(bench.put("generic/n" + std::to_string(i), "content " + std::to_string(i)));
  create_snapshot(bench, "r1");
  for (int i = 0; i < k_names; ++i) REQUIRE(bench.remove("generic/n" + std::to_string(i)));
  REQUIRE(bench.store->empty_trash({}, {}));
  REQUIRE(bench.put("generic/live", "live"));
  bench.memory.damage(object_of("content 5"), "Content 5");
  const Turns turns = scrub_in_turns(bench, bound_by_time(1000), [](int) {});
  CHECK(turns.corrupt == 1);
  CHECK(turns.last.last.names == k_names + 1);  // none twice
  CHECK(turns.last.last.hashed == k_names + 1);
  CHECK(turns.last.last.defects == 1);
}
