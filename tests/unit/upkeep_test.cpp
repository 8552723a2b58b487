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
