// Snapshots on a store in memory.
#include "server/store/layout.hpp"
#include "server/store/store.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

std::string archive(char digit) {
  const std::string two(2, digit);
  return two + "/" + two + "/sstate:a:t:1:r0:x86:14:" + std::string(64, digit) + "_package.tar.zst";
}

struct SnapshotBench : StoreBench {
  SnapshotBench() {
    clock.set(1'000'000'000);
    REQUIRE(put("downloads/a/b", "content of b"));
    REQUIRE(put("downloads/c", "content of c"));
    REQUIRE(put("generic/empty", ""));
    REQUIRE(put("sstate-cache/" + archive('1'), "archive"));
    REQUIRE(put("sstate-cache/" + archive('1') + ".siginfo", "info"));
    REQUIRE(put("sstate-cache/" + archive('2'), "another"));
  }
  api::SnapshotStat create(const std::string& name, api::SnapshotRequest request = {}) {
    request.name = name;
    const auto stat = store->create_snapshot(request, "tester");
    REQUIRE(stat);
    return *stat;
  }
  std::vector<std::string> names_in(const std::string& space) {
    return store->list_names(space, "", 1000)->paths;
  }
};

}  // namespace

TEST_CASE("a snapshot has everything there was, and keeps it", "[snapshot]") {
  SnapshotBench bench;
  const std::size_t objects = bench.store->totals()->objects;
  const auto stat = bench.create("r1");
  CHECK(stat.namespaces.size() == 3);
  CHECK(stat.missing == 0);
  CHECK(bench.store->totals()->objects == objects);  // directory entries only
  CHECK(*bench.get("@r1/downloads/a/b") == "content of b");
  CHECK(bench.get("@r1/generic/empty")->empty());
  const Entry live = *bench.store->stat(bench.key("downloads/c"));
  CHECK(*bench.store->stat(bench.key("@r1/downloads/c")) == live);

  REQUIRE(bench.remove("downloads/c"));
  REQUIRE(bench.store->empty_trash({}, {}));
  REQUIRE(bench.put("downloads/new", "new"));
  CHECK(*bench.get("@r1/downloads/c") == "content of c");
  CHECK_FALSE(bench.has("@r1/downloads/new"));
  CHECK(bench.names_in("@r1/downloads") == std::vector<std::string>{"a/b", "c"});
  CHECK(bench.store->list_directory("@r1/downloads", "", "", 10)->entries.size() == 2);
  CHECK(bench.store->peek_directory("@r1/downloads", "a") == Index::Found::hit);
  REQUIRE(bench.store->reconcile({}));
  CHECK(*bench.get("@r1/downloads/c") == "content of c");
}

TEST_CASE("a namespace of which a snapshot has nothing is not there", "[snapshot]") {
  SnapshotBench bench;
  api::SnapshotRequest request;
  request.namespaces = {"downloads"};
  bench.create("one", request);
  for (const bool again : {false, true}) {
    if (again) {
      REQUIRE(bench.close());
      REQUIRE(bench.open());
    }
    CHECK(bench.store->find_namespace("@one/downloads") != nullptr);
    CHECK(bench.store->find_namespace("@one/generic") == nullptr);
    CHECK(bench.store->find_namespace("@one/nowhere") == nullptr);
    CHECK(bench.store->find_namespace("@none/downloads") == nullptr);
    CHECK(bench.store->spaces_of_snapshot("one") == std::vector<std::string>{"downloads"});
    CHECK(bench.store->spaces_of_snapshot("none").empty());
  }
}

TEST_CASE("a snapshot is frozen", "[snapshot]") {
  SnapshotBench bench;
  bench.create("r1");
  CHECK(bench.put("@r1/downloads/x", "x").error().code() == Errc::forbidden);
  CHECK(bench.put("@r1/downloads/c", "other").error().code() == Errc::forbidden);
  CHECK(bench.remove("@r1/downloads/c").error().code() == Errc::forbidden);
  CHECK(bench.store->rename(bench.key("@r1/downloads/c"), bench.key("downloads/d"), "x").error().code() ==
        Errc::forbidden);
  CHECK_FALSE(bench.has("downloads/d"));
  CHECK(bench.has("@r1/downloads/c"));
}

TEST_CASE("a snapshot can be of some names or hashes, with what belongs to them", "[snapshot]") {
  SnapshotBench bench;
  api::SnapshotRequest request;
  request.names = {"sstate-cache/" + archive('1'), "downloads/c", "downloads/none"};
  CHECK(bench.create("names", request).missing == 1);
  CHECK(bench.names_in("@names/sstate-cache") ==
        std::vector<std::string>{archive('1'), archive('1') + ".siginfo"});
  CHECK(bench.names_in("@names/downloads") == std::vector<std::string>{"c"});
  request = {};
  request.hashes = {std::string(64, '2'), std::string(64, '9')};
  CHECK(bench.create("hashes", request).missing == 0);  // not every task leaves an object
  CHECK(bench.names_in("@hashes/sstate-cache") == std::vector<std::string>{archive('2')});
  request.name = "strange";
  request.hashes = {std::string(64, '9')};
  CHECK(bench.store->create_snapshot(request, "t").error().code() == Errc::invalid_argument);
  CHECK(bench.names_in("@strange/sstate-cache").empty());
  request.hashes = {std::string(64, '2')};
  CHECK(bench.store->create_snapshot(request, "t"));  // nothing of the first is in the way
  request = {};
  request.namespaces = {"downloads"};
  CHECK(bench.create("one", request).namespaces.size() == 1);
  request.namespaces = {"nowhere"};
  request.name = "x";
  CHECK(bench.store->create_snapshot(request, "t").error().code() == Errc::not_found);
  for (const char* name : {"", "a/b", ".a", "@a", "a b"}) {
    request = {};
    request.name = name;
    CHECK(bench.store->create_snapshot(request, "t").error().code() == Errc::invalid_name);
  }
  request.name = "one";
  CHECK(bench.store->create_snapshot(request, "t").error().code() == Errc::exists);
}

TEST_CASE("a snapshot that goes frees what only it had", "[snapshot]") {
  SnapshotBench bench;
  bench.create("r1");
  bench.create("r2");
  REQUIRE(bench.remove("downloads/c"));
  REQUIRE(bench.store->empty_trash({}, {}));
  const std::size_t objects = bench.store->totals()->objects;
  REQUIRE(bench.store->remove_snapshot("r1", "tester"));
  CHECK_FALSE(bench.has("@r1/downloads/c"));  // at once
  api::SnapshotRequest again;
  again.name = "r1";
  CHECK(bench.store->create_snapshot(again, "t").error().code() == Errc::busy);
  REQUIRE(bench.store->clear_snapshots({}));
  CHECK_FALSE(bench.has("@r1/downloads/c"));
  CHECK(bench.store->totals()->objects == objects);
  REQUIRE(bench.store->remove_snapshot("r2", "tester"));
  REQUIRE(bench.store->clear_snapshots({}));
  CHECK(bench.store->totals()->objects == objects - 1);
  CHECK(bench.store->remove_snapshot("r2", "tester").error().code() == Errc::not_found);
  for (const std::string& file : bench.memory.files()) CHECK_FALSE(file.starts_with("snapshots/"));
  CHECK(*bench.get("downloads/a/b") == "content of b");
}

TEST_CASE("one snapshot is cleared away while others are made and removed", "[snapshot]") {
  SnapshotBench bench;
  for (const char* name : {"r1", "r2"}) bench.create(name);
  REQUIRE(bench.store->remove_snapshot("r1", "tester"));
  int met = 0;
  bench.disk.watch([&](std::string_view operation, const std::string& path) {
    if (operation != "remove" || !path.starts_with("snapshots/.r1/") || met++ > 0) return;
    bench.create("r3");
    CHECK(bench.store->remove_snapshot("r2", "tester"));
    CHECK(bench.store->remove_snapshot("r1", "tester").error().code() == Errc::not_found);
    api::SnapshotRequest again;
    again.name = "r1";
    CHECK(bench.store->create_snapshot(again, "t").error().code() == Errc::busy);
    CHECK(bench.store->clear_snapshots({}));
    CHECK(bench.memory.status("snapshots/.r1"));  // left to who clears it
    CHECK_FALSE(bench.memory.status("snapshots/.r2"));
  });
  CHECK(bench.store->clear_snapshots({}));
  bench.disk.watch({});
  CHECK(met > 1);
  CHECK_FALSE(bench.memory.status("snapshots/.r1"));
  CHECK(*bench.get("@r3/downloads/a/b") == "content of b");
  bench.create("r1");
}

TEST_CASE("a snapshot that is being made is not cleared away", "[snapshot]") {
  SnapshotBench bench;
  int met = 0;
  bench.disk.watch([&](std::string_view operation, const std::string& path) {
    if (operation != "publish" || path != "snapshots/r1" || met++ > 0) return;  // whole, but for its name
    CHECK(bench.store->clear_snapshots({}));
    bench.create("r2");
    CHECK(bench.store->remove_snapshot("r1", "tester").error().code() == Errc::not_found);
    api::SnapshotRequest again;
    again.name = "r1";
    CHECK(bench.store->create_snapshot(again, "t").error().code() == Errc::busy);
  });
  bench.create("r1");
  bench.disk.watch({});
  CHECK(met == 1);
  CHECK(bench.names_in("@r1/downloads") == bench.names_in("downloads"));
  CHECK(bench.names_in("@r2/downloads") == bench.names_in("downloads"));
}

TEST_CASE("snapshots outlive a restart and the loss of the index", "[snapshot]") {
  SnapshotBench bench;
  bench.create("r1");
  REQUIRE(bench.remove("downloads/c"));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(*bench.get("@r1/downloads/c") == "content of c");
  CHECK(bench.store->snapshots().size() == 1);
  REQUIRE(bench.close());
  bench.forget_index();
  REQUIRE(bench.open());
  CHECK(*bench.get("@r1/downloads/a/b") == "content of b");  // before the index knows of it
  REQUIRE(bench.store->reconcile({}));
  CHECK(*bench.get("@r1/downloads/c") == "content of c");
  CHECK(bench.names_in("@r1/downloads") == std::vector<std::string>{"a/b", "c"});
  CHECK(bench.store->totals()->physical_bytes > 0);
}

TEST_CASE("what a snapshot has can be put back", "[snapshot]") {
  SnapshotBench bench;
  bench.create("r1");
  REQUIRE(bench.remove("downloads/c"));
  REQUIRE(bench.remove("downloads/a/b"));
  REQUIRE(bench.put("downloads/a/b", "other bytes"));
  REQUIRE(bench.remove("generic/empty"));
  const auto restored = bench.store->restore_snapshot("r1", "tester");
  REQUIRE(restored);
  CHECK(restored->restored == 2);
  CHECK(restored->present == 3);
  CHECK(restored->conflicts == 1);
  CHECK(*bench.get("downloads/c") == "content of c");
  CHECK(*bench.get("downloads/a/b") == "other bytes");
  CHECK(bench.get("generic/empty")->empty());
}

TEST_CASE("a snapshot puts no signature beside another archive", "[snapshot]") {
  SnapshotBench bench;
  const std::string name = "sstate-cache/" + archive('1');
  REQUIRE(bench.put(name + ".sig", "signature"));
  bench.create("r1");
  for (const char* ending : {"", ".siginfo", ".sig"}) REQUIRE(bench.remove(name + ending));
  SECTION("stored anew") {
    REQUIRE(bench.put(name, "built again"));
    const auto restored = bench.store->restore_snapshot("r1", "tester");
    REQUIRE(restored);
    CHECK(restored->restored == 1);
    CHECK(restored->conflicts == 2);
    CHECK(*bench.get(name) == "built again");
    CHECK(*bench.get(name + ".siginfo") == "info");  // tells of the hash, and fits every archive of it
    CHECK_FALSE(bench.has(name + ".sig"));
  }
  SECTION("the same again") {
    REQUIRE(bench.put(name, "archive"));
    CHECK(bench.store->restore_snapshot("r1", "tester")->conflicts == 0);
    CHECK(*bench.get(name + ".sig") == "signature");
  }
  SECTION("with its archive") {
    CHECK(bench.store->restore_snapshot("r1", "tester")->restored == 3);
    CHECK(*bench.get(name + ".sig") == "signature");
  }
}

TEST_CASE("a prune can be of what no snapshot has", "[snapshot][prune]") {
  SnapshotBench bench;
  bench.create("r1");
  REQUIRE(bench.put("downloads/new", "new"));
  bench.clock.set(bench.clock.now() + 1'000'000);
  api::PruneRules rules;
  rules.name_space = "downloads";
  rules.not_in_snapshot = true;
  rules.apply = true;
  const auto event = bench.store->prune(rules, {}, "tester", {}, {});
  REQUIRE(event);
  CHECK(event->removed.names == 1);
  CHECK_FALSE(bench.has("downloads/new"));
  CHECK(bench.has("downloads/c"));
}

TEST_CASE("a snapshot that could not be finished leaves nothing", "[snapshot][fault]") {
  for (std::uint64_t nth = 1;; ++nth) {
    REQUIRE(nth < 200);
    SnapshotBench bench;
    bench.disk.fail(nth, FaultyFileSystem::Mode::once, EIO);
    api::SnapshotRequest request;
    request.name = "r1";
    const bool made = bench.store->create_snapshot(request, "t").ok();
    const bool struck = bench.disk.struck();
    bench.disk.heal();
    INFO(nth);
    CHECK(bench.store->has_snapshot("r1") == made);
    CHECK(bench.has("@r1/downloads/c") == made);
    CHECK(*bench.get("downloads/c") == "content of c");
    REQUIRE(bench.close());
    REQUIRE(bench.open());
    CHECK(bench.store->has_snapshot("r1") == made);
    REQUIRE(bench.store->clear_snapshots({}));
    if (!made) CHECK(bench.store->create_snapshot(request, "t").ok());
    CHECK(*bench.get("@r1/downloads/a/b") == "content of b");
    if (!struck) break;
  }
}
