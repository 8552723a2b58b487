#include "server/upkeep.hpp"

#include "server/logging.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

// What looks after the store of a bench, with neither lease nor grace.
struct Keeper {
  explicit Keeper(StoreBench& bench, Config settings = {})
      : config(settings_for(bench, std::move(settings))),
        upkeep(*bench.store, config, bench.clock, silent_logs().main) {}

  static Config settings_for(const StoreBench& bench, Config settings) {
    settings.namespaces = bench.options.namespaces;
    settings.free_space_floor = bench.options.free_space_floor;
    settings.free_inode_floor = bench.options.free_inode_floor;
    settings.lease = std::chrono::milliseconds(0);
    settings.grace_period = std::chrono::milliseconds(0);
    return settings;
  }
  void look() { upkeep.look({}); }

  LiveConfig config;
  Upkeep upkeep;
};

std::string numbered(const std::string& name, int number) {
  return name + std::to_string(number);
}

}  // namespace

TEST_CASE("what gives way when space is needed", "[upkeep]") {
  NamespaceConfig sstate{"sstate-cache", NamespaceKind::sstate};
  NamespaceConfig downloads{"downloads", NamespaceKind::downloads};
  CHECK(is_evicted(sstate));
  CHECK_FALSE(is_evicted(downloads));  // may be gone upstream
  downloads.max_size = 1_GiB;
  CHECK(is_evicted(downloads));
  downloads.evict = Eviction::never;
  CHECK_FALSE(is_evicted(downloads));
  downloads.max_size = ByteSize{0};
  downloads.evict = Eviction::oldest;
  CHECK(is_evicted(downloads));
}

TEST_CASE("eviction begins near the limit, and goes on well below it", "[upkeep]") {
  NamespaceConfig config{"sstate-cache", NamespaceKind::sstate};
  CHECK_FALSE(size_to_reach(config, 1'000'000'000, 0));
  config.max_size = ByteSize{1000};
  CHECK_FALSE(size_to_reach(config, 0, 0));
  CHECK_FALSE(size_to_reach(config, 950, 0));
  CHECK(size_to_reach(config, 951, 0) == 850);
  CHECK(size_to_reach(config, 5000, 0) == 850);
  CHECK(size_to_reach(config, 900, 300) == 700);  // an upload there was no room for
  CHECK_FALSE(size_to_reach(config, 700, 300));
  CHECK_FALSE(size_to_reach(config, 900, 1001));  // it would never fit
  config.evict = Eviction::never;
  CHECK_FALSE(size_to_reach(config, 5000, 0));
}

TEST_CASE("the disk keeps twice its floor free before uploads are refused", "[upkeep]") {
  const auto disk_with = [](std::uint64_t free_bytes, std::uint64_t total_bytes) {
    DiskSpace disk;
    disk.total_bytes = total_bytes;
    disk.free_bytes = free_bytes;
    return disk;
  };
  CHECK(bytes_to_free(disk_with(0, 1000), ByteSize{0}, 0) == 0);
  CHECK(bytes_to_free(disk_with(200, 1000), ByteSize{100}, 0) == 0);
  CHECK(bytes_to_free(disk_with(150, 1000), ByteSize{100}, 0) == 50);
  CHECK(bytes_to_free(disk_with(0, 1000), ByteSize{100}, 0) == 200);
  CHECK(bytes_to_free(disk_with(200, 1000), ByteSize{100}, 50) == 50);
  CHECK(bytes_to_free(disk_with(100, 180), ByteSize{100}, 0) == 20);  // 200 it has not got
  CHECK(bytes_to_free(disk_with(90, 90), ByteSize{100}, 0) == 0);     // nothing that goes would do
}

TEST_CASE("twice as many inodes are kept free as uploads have to leave", "[upkeep]") {
  const auto disk_with = [](std::uint64_t free_inodes) {
    DiskSpace disk;
    disk.total_inodes = 65536;
    disk.free_inodes = free_inodes;
    return disk;
  };
  CHECK(inodes_to_free(disk_with(200), 100, 0) == 0);
  CHECK(inodes_to_free(disk_with(150), 100, 0) == 50);
  CHECK(inodes_to_free(disk_with(0), 100, 0) == 200);
  CHECK(inodes_to_free(disk_with(2), 1, 5) == 5);          // an upload there was no room for
  CHECK(inodes_to_free(disk_with(0), 0, 5) == 0);          // turned off
  CHECK(inodes_to_free(DiskSpace(), 100, 0) == 0);         // btrfs
  CHECK(inodes_to_free(disk_with(0), 60000, 0) == 61384);  // a quarter of what is above it
  CHECK(inodes_to_free(disk_with(0), 65536, 0) == 0);
  CHECK(inodes_to_free(disk_with(0), 4294967295, 0) == 0);
}

TEST_CASE("objects take what they take on average", "[upkeep]") {
  CHECK(proportion_of(5000, 0, 10) == 0);
  CHECK(proportion_of(5000, 3, 10) == 1500);
  CHECK(proportion_of(15, 3, 10) == 5);
  CHECK(proportion_of(5000, 10, 10) == 5000);
  CHECK(proportion_of(5000, 11, 10) == 5000);
  CHECK(proportion_of(0, 5, 0) == 0);
}

TEST_CASE("eviction looks again when the first lease ends, or when something went", "[upkeep]") {
  CHECK(pause_until(1000, 0) == 1300);     // pinned: nobody tells
  CHECK(pause_until(1000, 1060) == 1060);  // a lease
  CHECK(pause_until(1000, 90'000) == 1300);
  CHECK(pause_until(1000, 900) == 1001);
  const Pause pause{1060, 5000};
  CHECK_FALSE(is_over(pause, 1059, 5000));
  CHECK_FALSE(is_over(pause, 1059, 6000));  // what came since is younger still
  CHECK(is_over(pause, 1060, 5000));
  CHECK(is_over(pause, 1001, 4999));
  CHECK(is_over(Pause(), 1, 0));
}

TEST_CASE("when inodes run out, the oldest objects go until twice the floor is free", "[upkeep][store]") {
  StoreBench bench;
  REQUIRE(bench.close());
  bench.options.free_inode_floor = 50;
  REQUIRE(bench.open());
  for (int i = 0; i < 100; ++i) {
    bench.clock.advance(1);
    REQUIRE(bench.put(numbered("sstate-cache/x", i), numbered("content ", i)));
  }
  bench.clock.advance(1);
  bench.memory.limit_inodes(bench.memory.used_inodes() + 52);
  REQUIRE_FALSE(bench.put("sstate-cache/new", "new"));
  REQUIRE(bench.remove("sstate-cache/x0"));

  Keeper keeper(bench);
  keeper.look();

  CHECK(bench.store->disk_space()->free_inodes >= 100);
  CHECK_FALSE(bench.has("sstate-cache/x1"));
  CHECK(bench.has("sstate-cache/x99"));
  CHECK(bench.files_below("trash/").empty());
  CHECK(bench.put("sstate-cache/new", "new"));
  const std::size_t left = bench.files_below("tree/").size();
  keeper.look();
  CHECK(bench.files_below("tree/").size() == left);  // not one more than was needed
}

TEST_CASE("of inodes each namespace gives as it has objects", "[upkeep][store]") {
  StoreBench bench;
  REQUIRE(bench.close());
  bench.options.free_inode_floor = 50;
  for (NamespaceConfig& each : bench.options.namespaces) each.evict = Eviction::oldest;
  REQUIRE(bench.open());
  const auto fill = [&](const std::string& name_space, int count, std::size_t size) {
    for (int i = 0; i < count; ++i) {
      bench.clock.advance(1);
      REQUIRE(
          bench.put(numbered(name_space + "/x", i), name_space + std::string(size, 'x') + std::to_string(i)));
    }
  };
  fill("generic", 20, 5000);
  fill("downloads", 20, 5000);
  fill("sstate-cache", 360, 10);
  bench.clock.advance(1);
  bench.memory.limit_inodes(bench.memory.used_inodes() + 60);  // 40 are missing
  Keeper keeper(bench);

  for (int i = 0; i < 5; ++i) keeper.look();

  CHECK(bench.store->disk_space()->free_inodes >= 100);
  CHECK(bench.files_below("tree/generic").size() >= 16);
  CHECK(bench.files_below("tree/downloads").size() >= 16);
  CHECK(bench.files_below("tree/sstate-cache").size() < 360);
}

TEST_CASE("what fell short is made up for with the next look, and where nothing can go there is a pause",
          "[upkeep][store]") {
  StoreBench bench;
  REQUIRE(bench.close());
  bench.options.free_inode_floor = 50;
  REQUIRE(bench.open());
  // The oldest are ten times as large as what came later: by bytes, too few of them would go at first.
  for (int i = 0; i < 200; ++i) {
    bench.clock.advance(1);
    REQUIRE(
        bench.put(numbered("sstate-cache/x", i), std::string(i < 50 ? 5000 : 50, 'x') + std::to_string(i)));
  }
  bench.clock.advance(1);
  bench.memory.limit_inodes(bench.memory.used_inodes() + 60);
  Keeper keeper(bench);
  keeper.look();
  CHECK(bench.store->disk_space()->free_inodes < 100);
  for (int i = 0; i < 30; ++i) keeper.look();  // the clock stands still
  CHECK(bench.store->disk_space()->free_inodes >= 100);
}

TEST_CASE("of the trash no more goes for the disk than is missing, and no name while that will do",
          "[upkeep][store]") {
  StoreBench bench;
  REQUIRE(bench.close());
  bench.options.free_space_floor = 2_KiB;
  REQUIRE(bench.open());
  for (int i = 0; i < 20; ++i) {
    bench.clock.advance(1);
    REQUIRE(bench.put(numbered("sstate-cache/x", i), std::string(1000, static_cast<char>('a' + i))));
  }
  for (int i = 0; i < 10; ++i) REQUIRE(bench.remove(numbered("sstate-cache/x", i)));
  bench.clock.advance(1);
  bench.memory.limit_space(bench.memory.used() + (4 << 10) - 2500);
  Keeper keeper(bench);
  keeper.look();
  CHECK(bench.files_below("trash/").size() == 7);
  CHECK(bench.files_below("tree/").size() == 10);
}

TEST_CASE("before tree and index have been compared, a full disk is freed of what is in the trash alone",
          "[upkeep][store]") {
  StoreBench bench;
  REQUIRE(bench.close());
  bench.options.free_space_floor = 2_KiB;
  REQUIRE(bench.open());
  for (int i = 0; i < 10; ++i) {
    bench.clock.advance(1);
    REQUIRE(bench.put(numbered("sstate-cache/x", i), std::string(2000, static_cast<char>('a' + i))));
  }
  for (int i = 0; i < 4; ++i) REQUIRE(bench.remove(numbered("sstate-cache/x", i)));
  REQUIRE(bench.put("sstate-cache/again", std::string(2000, 'a')));  // what the oldest in the trash has
  bench.kill();
  bench.options.namespaces[0].max_size = 10_KiB;
  REQUIRE(bench.open());
  bench.clock.advance(1);
  bench.memory.limit_space(bench.memory.used() + (4 << 10) - 3000);  // 3000 are missing
  Keeper keeper(bench);

  keeper.look();

  CHECK_FALSE(bench.store->reconciled());
  CHECK(bench.store->disk_space()->free_bytes >= 4 << 10);
  CHECK(bench.files_below("trash/").size() == 1);  // the oldest three went, and freed two
  CHECK(*bench.get("sstate-cache/again") == std::string(2000, 'a'));

  bench.memory.limit_space(bench.memory.used());
  bench.clock.advance(30);
  keeper.look();
  CHECK(bench.files_below("trash/").empty());
  CHECK(bench.files_below("tree/").size() == 7);  // that is all as long as they may differ
  REQUIRE(bench.store->reconcile({}));
  CHECK(bench.store->totals()->objects == 7);
  CHECK(bench.store->totals()->physical_bytes == 7 * 2000);
  keeper.look();
  CHECK(bench.files_below("tree/").size() < 7);
}

TEST_CASE("old trash goes before tree and index have been compared", "[upkeep][store]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a", "content"));
  REQUIRE(bench.remove("generic/a"));
  bench.kill();
  REQUIRE(bench.open());
  Keeper keeper(bench);
  keeper.look();
  CHECK(bench.files_below("trash/").size() == 1);
  bench.clock.advance(7 * 24 * 60 * 60);
  keeper.look();
  CHECK_FALSE(bench.store->reconciled());
  CHECK(bench.files_below("trash/").empty());
  CHECK(bench.files_below("objects/").empty());
}

TEST_CASE("hash equivalences go when nobody asks for them and nothing is stored by their hash",
          "[upkeep][hashserv]") {
  StoreBench bench;
  constexpr UnixSeconds k_day = 24 * 60 * 60;
  const auto archive = [](char digit) {
    return "sstate-cache/aa/bb/sstate:a:t:1:r0:x86:14:" + std::string(64, digit) + "_package.tar.zst";
  };
  TemporaryDirectory directory(TemporaryDirectory::Where::in_memory);
  auto known = HashEquivalence::open(directory.path() / "known", bench.clock, Durability::none);
  REQUIRE(known);
  for (const char digit : {'1', '2', '3', '4'}) {
    const std::string hash(64, digit);
    REQUIRE((*known)->equate({"m", hash}, hash));
  }
  REQUIRE(bench.put(archive('1'), "one"));
  REQUIRE(bench.put(archive('2'), "two"));
  api::SnapshotRequest request;
  request.name = "r";
  REQUIRE(bench.store->create_snapshot(request, "t"));
  REQUIRE(bench.remove(archive('2')));  // a snapshot has it
  LiveConfig config(Keeper::settings_for(bench, {}));
  Upkeep upkeep(*bench.store, config, bench.clock, silent_logs().main, known->get());
  const auto unihashes = [&] { return (*known)->count()->unihashes; };
  upkeep.look({});
  CHECK(unihashes() == 4);
  CHECK(std::filesystem::exists(directory.path() / "known.backup" / "CURRENT"));
  bench.clock.advance(179 * k_day);
  REQUIRE((*known)->unihash({"m", std::string(64, '3')}));
  upkeep.look({});
  CHECK(unihashes() == 4);
  bench.clock.advance(2 * k_day);
  upkeep.look({});
  CHECK(unihashes() == 3);
  CHECK_FALSE(*(*known)->unihash({"m", std::string(64, '4')}));
  bench.clock.advance(179 * k_day);
  upkeep.look({});
  CHECK(unihashes() == 2);  // what is stored stays
}
