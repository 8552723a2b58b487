// Which namespace a content is counted for, when others name it as well.
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include "server/upkeep.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scrub_checks.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

struct ChargeBench : StoreBench {
  ChargeBench() { clock.set(1'000'000); }

  std::uint64_t charged(const std::string& name_space) const { return store->physical_bytes(name_space); }
  std::uint64_t settle() {
    const auto moved = store->settle_charges({});
    REQUIRE(moved);
    return *moved;
  }
  void take(const std::string& name) {  // for good
    const auto slash = name.find('/');
    REQUIRE(prune(name.substr(0, slash), name.substr(slash + 1), Into::nothing));
    REQUIRE_FALSE(has(name));
  }
  void freeze(const std::string& snapshot) {
    api::SnapshotRequest request;
    request.name = snapshot;
    REQUIRE(store->create_snapshot(request, "test"));
  }
};

}  // namespace

TEST_CASE("what its first namespace names no more is counted for one that does", "[store][charges]") {
  ChargeBench bench;
  REQUIRE(bench.put("generic/first", "shared"));
  REQUIRE(bench.put("downloads/second", "shared"));
  REQUIRE(bench.put("generic/own", "its own"));
  CHECK(bench.settle() == 0);
  CHECK(bench.charged("generic") == 13);
  bench.take("generic/first");
  CHECK(bench.settle() == 1);
  CHECK(bench.charged("generic") == 7);
  CHECK(bench.charged("downloads") == 6);
  CHECK(bench.store->totals()->physical_bytes == 13);
  CHECK(bench.settle() == 0);
  bench.take("downloads/second");
  CHECK(bench.charged("downloads") == 0);
  CHECK(bench.store->totals()->objects == 1);
}

TEST_CASE("a namespace that is configured no more counts nothing, until it comes back", "[store][charges]") {
  ChargeBench bench;
  REQUIRE(bench.put("downloads/first", "shared"));
  REQUIRE(bench.put("generic/second", "shared"));
  const auto configured = bench.options.namespaces;
  REQUIRE(bench.close());
  std::erase_if(bench.options.namespaces,
                [](const NamespaceConfig& each) { return each.name == "downloads"; });
  REQUIRE(bench.open());
  CHECK(bench.settle() == 1);
  CHECK(bench.charged("generic") == 6);
  CHECK(bench.store->totals()->physical_bytes == 6);
  bench.take("generic/second");
  CHECK(bench.settle() == 1);
  CHECK(bench.charged("downloads") == 0);
  CHECK(bench.store->totals()->physical_bytes == 6);
  REQUIRE(bench.close());
  bench.options.namespaces = configured;
  REQUIRE(bench.open());
  REQUIRE(bench.store->reconcile({}));
  CHECK(bench.settle() == 1);
  CHECK(bench.charged("downloads") == 6);
}

TEST_CASE("the trusted namespace comes before a lane", "[store][charges][lane]") {
  ChargeBench bench;
  REQUIRE(bench.close());
  NamespaceConfig lane{"pr", NamespaceKind::sstate};
  lane.overlay = "sstate-cache";
  bench.options.namespaces.push_back(lane);
  REQUIRE(bench.open());
  REQUIRE(bench.store->reconcile({}));
  REQUIRE(bench.put("generic/first", "shared"));
  REQUIRE(bench.put("pr/second", "shared"));
  REQUIRE(bench.put("sstate-cache/third", "shared"));
  bench.take("generic/first");
  CHECK(bench.settle() == 1);
  CHECK(bench.charged("pr") == 0);
  CHECK(bench.charged("sstate-cache") == 6);
}

TEST_CASE("what lies in the trash is counted for where it can be brought back to",
          "[store][charges][trash]") {
  ChargeBench bench;
  REQUIRE(bench.put("generic/first", "shared"));
  REQUIRE(bench.put("downloads/second", "shared"));
  REQUIRE(bench.remove("downloads/second"));
  REQUIRE(bench.remove("generic/first"));
  CHECK(bench.settle() == 0);
  CHECK(bench.charged("generic") == 6);
  // Another one has it in its tree: emptying the trash would give nothing back.
  REQUIRE(bench.put("downloads/third", "shared"));
  CHECK(bench.settle() == 1);
  CHECK(bench.charged("downloads") == 6);
  REQUIRE(bench.store->empty_trash({}, {}));
  CHECK(bench.charged("downloads") == 6);
  CHECK(bench.settle() == 0);
}

TEST_CASE("what a snapshot alone holds is nobody's until somebody names it again",
          "[store][charges][snapshot]") {
  ChargeBench bench;
  REQUIRE(bench.put("generic/a", "frozen"));
  bench.freeze("release");
  bench.take("generic/a");
  CHECK(bench.charged("generic") == 6);
  CHECK(bench.settle() == 1);
  CHECK(bench.charged("generic") == 0);
  CHECK(bench.store->totals()->physical_bytes == 6);
  CHECK(bench.store->totals()->objects == 1);
  CHECK(bench.settle() == 0);

  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->totals()->physical_bytes == 6);
  SECTION("by storing it") {
    REQUIRE(bench.put("downloads/b", "frozen"));
    CHECK(bench.charged("downloads") == 6);
  }
  SECTION("by storing it in many names at once") {
    for (const auto& each : bench.put_together({{"generic/1", "frozen"}, {"generic/2", "frozen"}}))
      REQUIRE(each);
    CHECK(bench.charged("generic") == 6);
  }
  SECTION("by restoring the snapshot") {
    REQUIRE(bench.store->restore_snapshot("release", "test"));
    CHECK(bench.charged("generic") == 6);
  }
  SECTION("or it is gone with the snapshot") {
    REQUIRE(bench.store->remove_snapshot("release", "test"));
    REQUIRE(bench.store->clear_snapshots({}));
    CHECK(bench.store->totals()->objects == 0);
  }
  CHECK(bench.store->totals()->physical_bytes == bench.store->totals()->objects * 6);
}

TEST_CASE("more contents than are known at once are looked at in rounds", "[store][charges]") {
  ChargeBench bench;
  for (int i = 0; i < 60; ++i) {
    const std::string number = std::to_string(i);
    REQUIRE(bench.put("generic/d" + number, "content " + number));
    if (i % 2 == 0) REQUIRE(bench.put("downloads/" + number, "content " + number));
    if (i % 3 == 0) REQUIRE(bench.put("generic/e" + number, "content " + number));
  }
  for (int i = 0; i < 30; ++i) REQUIRE(bench.put("sstate-cache/" + std::to_string(i), "content 0"));
  REQUIRE(bench.prune("generic", "d*", StoreBench::Into::nothing));
  const auto moved = bench.store->settle_charges({}, 8);
  REQUIRE(moved);
  CHECK(*moved == 20);  // of the thirty that downloads has, those that have no other name in generic
  const auto stat = bench.store->totals();
  CHECK(stat->namespaces[1].objects == 20);
  CHECK(stat->namespaces[2].objects == 20);
  CHECK(bench.settle() == 0);
}

TEST_CASE("looking whose the contents are can be stopped", "[store][charges]") {
  ChargeBench bench;
  REQUIRE(bench.put("generic/a", "shared"));
  std::stop_source stop;
  stop.request_stop();
  const auto settled = bench.store->settle_charges(stop.get_token());
  REQUIRE_FALSE(settled);
  CHECK(settled.error().code() == Errc::cancelled);
}

TEST_CASE("a content whose names changed meanwhile is left for the next time", "[index][charges]") {
  TemporaryDirectory directory(TemporaryDirectory::Where::in_memory);
  auto index = Index::open(directory.path(), 8_MiB, Index::Medium::memory);
  REQUIRE(index);
  const auto put = [&](const std::string& name, const std::string& content) {
    const auto key = ArtifactKey::parse(name);
    IndexChange change;
    change.key = &*key;
    change.name.emplace();
    change.name->digest = Hasher::of(content);
    change.name->size = content.size();
    change.new_object.emplace();
    change.new_object->size = content.size();
    change.new_object->charged_to = key->name_space();
    change.ledger.key = name;
    change.ledger.digest = change.name->digest;
    const auto sequence = (*index)->apply(change);
    REQUIRE(sequence);
    return *sequence;
  };
  put("generic/a", "one");
  const std::uint64_t since = put("generic/b", "another");
  put("generic/c", "one");
  const std::vector<Index::Recharge> all = {{Hasher::of("one"), "generic", ""},
                                            {Hasher::of("another"), "generic", "downloads"},
                                            {Hasher::of("unknown"), "generic", "downloads"}};
  REQUIRE((*index)->recharge(all, since));
  CHECK((*index)->totals("generic").physical_bytes == 3);
  CHECK((*index)->totals("downloads").physical_bytes == 7);
  CHECK((*index)->totals("").physical_bytes == 0);
}

TEST_CASE("a complete check counts contents for who names them", "[store][scrub][charges]") {
  ChargeBench bench;
  REQUIRE(bench.put("generic/first", "shared"));
  REQUIRE(bench.put("downloads/second", "shared"));
  bench.take("generic/first");
  CHECK(scrubbing::scrub(bench, ScrubLevel::quick).sound());
  CHECK(bench.charged("generic") == 0);
  CHECK(bench.charged("downloads") == 6);
}

TEST_CASE("nothing is evicted for bytes that only others name", "[upkeep][charges]") {
  ChargeBench bench;
  const std::string large(900, 'l');
  REQUIRE(bench.put("generic/shared", large));
  REQUIRE(bench.put("downloads/shared", large));
  REQUIRE(bench.put("generic/own", std::string(100, 'o')));
  bench.take("generic/shared");
  REQUIRE(bench.put("generic/removed", "may be wanted back"));
  REQUIRE(bench.remove("generic/removed"));
  REQUIRE(bench.charged("generic") == 1018);

  bench.clock.set(100'000'000);  // nothing is leased or young
  Config config;
  config.namespaces = bench.options.namespaces;
  config.namespaces[2].max_size = ByteSize{1000};
  config.trash_keep = std::chrono::hours(1'000'000);
  const LiveConfig live(config);
  Upkeep upkeep(*bench.store, live, bench.clock,
                std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>()));
  upkeep.look({});
  CHECK(bench.has("generic/own"));
  CHECK(bench.charged("generic") == 118);
  CHECK(bench.store->undo(0, "test")->names == 1);
}

TEST_CASE("a disk that fills up is freed of what was counted for another", "[upkeep][charges]") {
  ChargeBench bench;
  const std::string large(900, 'l');
  REQUIRE(bench.put("downloads/shared", large));
  REQUIRE(bench.put("sstate-cache/shared", large));
  bench.take("downloads/shared");
  REQUIRE(bench.charged("sstate-cache") == 0);

  bench.clock.set(100'000'000);
  Config config;
  config.namespaces = bench.options.namespaces;
  config.free_space_floor = ByteSize{bench.memory.space()->free_bytes};  // less than twice of it is free
  const LiveConfig live(config);
  Upkeep upkeep(*bench.store, live, bench.clock,
                std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>()));
  upkeep.look({});
  CHECK_FALSE(bench.has("sstate-cache/shared"));
}
