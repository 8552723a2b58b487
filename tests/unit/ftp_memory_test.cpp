#include "server/ftp/memory.hpp"

#include "tests/support/catch.hpp"

using namespace larder::ftp;

TEST_CASE("directories that were made are remembered, for a while and up to a limit", "[ftp]") {
  SessionMemory memory;
  memory.made("/dl/a/b", 1000);
  CHECK(memory.has_made("/dl/a/b", 1000));
  CHECK(memory.has_made("/dl/a", 1000));  // what is above it
  CHECK_FALSE(memory.has_made("/dl/a/bc", 1000));
  CHECK_FALSE(memory.has_made("/dl/a/b/c", 1000));
  CHECK_FALSE(memory.has_made("/dl/a/b", 1000 + 3600));
  memory.made("/dl/c", 1000);
  CHECK(memory.made_in("/dl", 1000) == std::vector<std::string>{"a", "c"});
  CHECK(memory.made_in("/dl/a", 1000) == std::vector<std::string>{"b"});
  CHECK(memory.made_in("/d", 1000).empty());
  CHECK(memory.made_in("/dl", 1000 + 3600).empty());
  memory.unmade("/dl/a/b");
  CHECK_FALSE(memory.has_made("/dl/a/b", 1000));
  const std::string filler(1000, 'x');
  for (int i = 0; i < 2000; ++i) memory.made("/dl/" + filler + std::to_string(i), 1000);
  CHECK(memory.has_made("/dl/" + filler + "1999", 1000));
  CHECK_FALSE(memory.has_made("/dl/" + filler + "0", 1000));
}

TEST_CASE("what was refused to a peer is remembered for a moment", "[ftp]") {
  SessionMemory memory;
  memory.refused("192.0.2.1", "/dl/a", 1000);
  CHECK(memory.was_refused("192.0.2.1", "/dl/a", 1010));
  CHECK_FALSE(memory.was_refused("192.0.2.2", "/dl/a", 1010));
  CHECK_FALSE(memory.was_refused("192.0.2.1", "/dl/b", 1010));
  CHECK_FALSE(memory.was_refused("192.0.2.1", "/dl/a", 1061));
}
