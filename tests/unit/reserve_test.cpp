#include "server/store/reserve.hpp"

#include "server/store/layout.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

constexpr std::uint64_t k_gibibyte = std::uint64_t{1} << 30;
constexpr ByteSize k_floor{5 * k_gibibyte};
const std::filesystem::path k_no_index = "/there/is/none";

bool is_there(MemoryFileSystem& disk) {
  return disk.status(layout::k_reserve).ok();
}

void take(MemoryFileSystem& disk, std::uint64_t bytes) {
  REQUIRE(disk.create_reserve("others", bytes));
}

}  // namespace

TEST_CASE("room is kept for the index where that is little, and more than the floor stays free",
          "[reserve]") {
  struct Case {
    std::uint64_t disk, taken;  // bytes
    bool kept;
  };
  const Case cases[] = {
      {100 * k_gibibyte, 0, true},
      {100 * k_gibibyte, 95 * k_gibibyte - 2 * k_reserve_bytes, true},
      {100 * k_gibibyte, 95 * k_gibibyte - 2 * k_reserve_bytes + 1, false},
      {100 * k_gibibyte, 100 * k_gibibyte, false},
      {64 * k_reserve_bytes - 1, 0, false},  // a small disk
  };
  for (const Case& each : cases) {
    MemoryFileSystem disk;
    disk.limit_space(each.disk);
    if (each.taken > 0) take(disk, each.taken);
    INFO(each.disk << " bytes, " << each.taken << " taken");
    CHECK(keep_reserve(disk, each.disk < 64 * k_reserve_bytes ? ByteSize{0} : k_floor));
    CHECK(is_there(disk) == each.kept);
  }
}

TEST_CASE("without a floor, as much again has to be free", "[reserve]") {
  MemoryFileSystem disk;
  disk.limit_space(10 * k_gibibyte);
  take(disk, 10 * k_gibibyte - 2 * k_reserve_bytes + 1);
  CHECK(keep_reserve(disk, ByteSize{0}));
  CHECK_FALSE(is_there(disk));
  REQUIRE(disk.remove("others"));
  take(disk, 10 * k_gibibyte - 2 * k_reserve_bytes);
  CHECK(keep_reserve(disk, ByteSize{0}));
  CHECK(is_there(disk));
}

TEST_CASE("what is kept is given up on a full disk alone", "[reserve]") {
  MemoryFileSystem disk;
  disk.limit_space(100 * k_gibibyte);
  REQUIRE(keep_reserve(disk, k_floor));
  CHECK(give_up_reserve(disk, k_no_index));
  CHECK(is_there(disk));
  CHECK(disk.used() == k_reserve_bytes);

  take(disk, 100 * k_gibibyte - 2 * k_reserve_bytes);
  CHECK(give_up_reserve(disk, k_no_index));
  CHECK(is_there(disk));
  REQUIRE(disk.create_reserve("one more", 1));
  CHECK(give_up_reserve(disk, k_no_index));
  CHECK_FALSE(is_there(disk));
  CHECK(give_up_reserve(disk, k_no_index));  // there is none
}

TEST_CASE("a store on a full disk is opened by what was kept, and without where that cannot go",
          "[reserve]") {
  StoreBench bench;
  REQUIRE(bench.put("sstate-cache/a", "content"));
  REQUIRE(bench.disk.create_reserve(layout::k_reserve, k_reserve_bytes));
  bench.kill();
  bench.memory.limit_space(bench.memory.used() + 1000);
  REQUIRE(bench.open());
  CHECK_FALSE(is_there(bench.memory));
  const auto content = bench.get("sstate-cache/a");
  REQUIRE(content);
  CHECK(*content == "content");

  REQUIRE(bench.disk.make_directory(layout::k_reserve));
  bench.kill();
  bench.memory.limit_space(bench.memory.used() + (1 << 20));
  REQUIRE(bench.open());
}

TEST_CASE("a reserve that was cut off is made anew", "[reserve]") {
  MemoryFileSystem disk;
  disk.limit_space(100 * k_gibibyte);
  REQUIRE(disk.create_reserve(layout::k_reserve, 4096));
  CHECK(keep_reserve(disk, k_floor));
  const auto status = disk.status(layout::k_reserve);
  REQUIRE(status);
  CHECK(status->size == k_reserve_bytes);
}
