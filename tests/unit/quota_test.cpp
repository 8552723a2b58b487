// What is promised of the disk before an upload begins.
#include "server/store/quota.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

// A disk whose figures a test sets.
struct Disk {
  DiskSpace space;
  std::map<std::string, std::uint64_t> used;

  Quota quota(Quota::Room floor, Quota::Limits limits = {}) {
    Quota::Sources sources;
    sources.disk_space = [this]() -> Result<DiskSpace> { return space; };
    sources.used_bytes = [this](const std::string& name) { return used[name]; };
    return {floor, std::move(limits), std::move(sources)};
  }
};

Disk disk_with(std::uint64_t free_bytes, std::uint64_t free_inodes) {
  Disk disk;
  disk.space.total_bytes = 1'000'000;
  disk.space.free_bytes = free_bytes;
  disk.space.total_inodes = 1000;
  disk.space.free_inodes = free_inodes;
  return disk;
}

}  // namespace

TEST_CASE("inodes are promised down to their floor, and come back", "[quota]") {
  Disk disk = disk_with(1000, 110);
  Quota quota = disk.quota({0, 100});
  {
    const auto first = quota.reserve("a", {0, 4});
    const auto second = quota.reserve("b", {0, 6});
    REQUIRE(first);
    REQUIRE(second);
    const auto third = quota.reserve("a", {0, 1});
    REQUIRE_FALSE(third);
    CHECK(third.error().code() == Errc::no_space);
    CHECK(
        third.error().message() ==
        "the disk has too few inodes: 110 are free, of which 100 are kept (free_inode_floor) and 10 promised "
        "to other uploads; 1 may be needed");
  }
  CHECK(quota.reserve("a", {0, 10}));
  CHECK_FALSE(quota.reserve("a", {0, 11}));
}

TEST_CASE("an upload that goes on is not cut off for want of inodes", "[quota]") {
  Disk disk = disk_with(1000, 110);
  Quota quota = disk.quota({0, 100});
  auto reservation = quota.reserve("a", {100, 4});
  REQUIRE(reservation);
  disk.space.free_inodes = 0;
  CHECK(reservation->grow(100));
  CHECK_FALSE(reservation->grow(1000));
}

TEST_CASE("where inodes are not counted, or not looked at, none are missing", "[quota]") {
  Disk disk = disk_with(1000, 0);
  Quota unlimited = disk.quota({0, 0});
  CHECK(unlimited.reserve("a", {0, 5}));
  disk.space.total_inodes = 0;
  Quota quota = disk.quota({0, 100});
  CHECK(quota.reserve("a", {0, 5}));
}

TEST_CASE("what was refused is told once, of what was missing alone", "[quota]") {
  Disk disk = disk_with(1000, 110);
  Quota quota = disk.quota({0, 100}, {{"a", ByteSize{500}}});
  CHECK_FALSE(quota.reserve("a", {100, 11}));
  CHECK_FALSE(quota.reserve("b", {100, 12}));
  CHECK_FALSE(quota.reserve("b", {2000, 1}));
  CHECK_FALSE(quota.reserve("a", {600, 1}));
  CHECK(quota.take_refused("") == Quota::Room{2000, 12});
  CHECK(quota.take_refused("") == Quota::Room());
  CHECK(quota.take_refused("a") == Quota::Room{600, 0});
  CHECK(quota.take_refused("b") == Quota::Room());
}

TEST_CASE("a reservation that moved is given back once", "[quota]") {
  Disk disk = disk_with(1000, 110);
  Quota quota = disk.quota({0, 100});
  {
    auto first = quota.reserve("a", {1000, 10});
    REQUIRE(first);
    Quota::Reservation moved = std::move(*first);
    Quota::Reservation assigned;
    assigned = std::move(moved);
    CHECK(quota.reserved() == 1000);
    CHECK_FALSE(quota.reserve("a", {0, 1}));
  }
  CHECK(quota.reserved() == 0);
  CHECK(quota.reserve("a", {1000, 10}));
}

TEST_CASE("an upload is refused before its first byte when too few inodes are left", "[quota][store]") {
  StoreBench bench;
  REQUIRE(bench.close());
  bench.options.free_inode_floor = 20;
  REQUIRE(bench.open());
  REQUIRE(bench.put("generic/deep/er/old", "old"));
  bench.memory.limit_inodes(bench.memory.used_inodes() + 20 + 4);
  const auto refused = bench.put("generic/deep/er/new", "new");  // three directories, one for the object, it
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::no_space);
  CHECK(bench.files_below("tmp/").empty());
  CHECK(bench.put_together({{"generic/deep/er/a", "a"}})[0].error().code() == Errc::no_space);
  CHECK(bench.put("generic/deep/er/old", "old", Hasher::of("old"))->outcome == Receipt::Outcome::present);
  REQUIRE(bench.put("generic/new", "new"));  // fewer directories
  CHECK(bench.store->take_refused("") == Quota::Room{0, 5});
  CHECK(bench.store->reserved_bytes() == 0);
}

TEST_CASE("whatever was promised there are inodes for", "[quota][store]") {
  StoreBench bench;
  REQUIRE(bench.close());
  bench.options.free_inode_floor = 1;
  REQUIRE(bench.open());
  bench.memory.limit_inodes(bench.memory.used_inodes() + 100);
  bool refused = false;
  for (int i = 0; i < 100 && !refused; ++i) {
    const std::string number = std::to_string(i);
    const auto put = bench.put("generic/" + number + "/a/b/c", number);
    refused = !put;
    if (!put) CHECK(put.error().message().find("free_inode_floor") != std::string::npos);
  }
  CHECK(refused);
  CHECK(bench.files_below("tmp/").empty());
  CHECK(bench.store->reconciled());
}
