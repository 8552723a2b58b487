#include "server/upkeep.hpp"

#include "tests/support/catch.hpp"

using namespace larder;

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
  CHECK(bytes_to_free(0, ByteSize{0}, 0) == 0);
  CHECK(bytes_to_free(200, ByteSize{100}, 0) == 0);
  CHECK(bytes_to_free(150, ByteSize{100}, 0) == 50);
  CHECK(bytes_to_free(0, ByteSize{100}, 0) == 200);
  CHECK(bytes_to_free(200, ByteSize{100}, 50) == 50);
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
