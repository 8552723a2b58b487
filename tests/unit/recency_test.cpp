#include "server/store/recency.hpp"

#include <map>

#include "tests/support/catch.hpp"

using namespace larder;

namespace {

const KeyedHash k_hash({1, 2});

void note(Recency& recency, const std::string& name, Access access, UnixSeconds now) {
  recency.note(k_hash(name), name, access, now);
}

}  // namespace

TEST_CASE("uses are handed over once, with their names", "[recency]") {
  Recency recency;
  note(recency, "a", Access::seen, 10);
  note(recency, "a", Access::used, 20);
  note(recency, "b", Access::seen, 30);
  std::map<std::string, RecencyRecord> written;
  const auto write = [&](const auto& batch) -> Result<void> {
    for (const auto& [name, record] : batch) written.emplace(name, record);
    return {};
  };
  REQUIRE(recency.flush(write));
  CHECK(written.size() == 2);
  CHECK(written["a"] == RecencyRecord{20, 10});
  CHECK(written["b"] == RecencyRecord{0, 30});
  written.clear();
  REQUIRE(recency.flush(write));
  CHECK(written.empty());
  CHECK(recency.unwritten(k_hash("a")) == RecencyRecord());
}

TEST_CASE("a use is known while a flush is writing it", "[recency]") {
  Recency recency;
  note(recency, "a", Access::seen, 10);
  bool asked = false;
  REQUIRE(recency.flush([&](const auto&) -> Result<void> {
    CHECK(recency.unwritten(k_hash("a")).seen == 10);
    asked = true;
    return {};
  }));
  CHECK(asked);
}

TEST_CASE("what a flush could not write is written by the next", "[recency]") {
  Recency recency;
  note(recency, "a", Access::seen, 10);
  CHECK_FALSE(recency.flush([](const auto&) -> Result<void> { return Error(Errc::io, "disk"); }));
  CHECK(recency.unwritten(k_hash("a")).seen == 10);
  note(recency, "a", Access::used, 20);
  std::map<std::string, RecencyRecord> written;
  REQUIRE(recency.flush([&](const auto& batch) -> Result<void> {
    for (const auto& [name, record] : batch) written.emplace(name, record);
    return {};
  }));
  CHECK(written["a"] == RecencyRecord{20, 10});
}

TEST_CASE("a name without room counts as asked for, rather than being forgotten", "[recency]") {
  Recency recency;
  std::size_t count = 0;
  for (; recency.dropped() == 0; ++count) note(recency, "n" + std::to_string(count), Access::seen, 77);
  CHECK(count > 16 * 60000);
  CHECK(recency.pressing());
  CHECK(recency.unwritten(k_hash("n" + std::to_string(count - 1))).seen == 77);
}
