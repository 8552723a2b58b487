#include "common/api.hpp"

#include <limits>
#include <string>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::api;

namespace {

constexpr auto k_huge = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("statistics survive the way through JSON", "[api]") {
  Stat stat;
  stat.version = "0.1";
  stat.data_directory = "/var/lib/\"larder\"";
  stat.durability = "batch";
  stat.started = 1;
  stat.now = -2;
  stat.ready = true;
  stat.objects = 3;
  stat.logical_bytes = k_huge;
  stat.physical_bytes = 4;
  stat.disk_total_bytes = 5;
  stat.disk_free_bytes = 6;
  stat.disk_total_inodes = 22;
  stat.disk_free_inodes = 23;
  stat.resident_bytes = 7;
  stat.connections = 8;
  stat.failed_logins = 9;
  stat.generation = 9;
  NamespaceStat name_space;
  name_space.name = "sstate-cache";
  name_space.kind = "sstate";
  name_space.artifacts = 10;
  name_space.logical_bytes = 31;
  name_space.objects = 11;
  name_space.physical_bytes = 12;
  name_space.max_bytes = 13;
  name_space.hits = 14;
  name_space.misses = 15;
  name_space.uploads = 16;
  name_space.duplicates = 17;
  name_space.rejects = 18;
  name_space.removals = 19;
  name_space.bytes_sent = 20;
  name_space.bytes_received = 21;
  stat.namespaces = {name_space, {}};

  const auto read = stat_from_json(to_json(stat));

  REQUIRE(read.ok());
  CHECK(to_json(*read) == to_json(stat));
  CHECK(read->data_directory == stat.data_directory);
  CHECK(read->now == -2);
  CHECK(read->ready);
  CHECK_FALSE(read->reconciling);
  CHECK(read->logical_bytes == k_huge);
  CHECK(read->generation == 9);
  REQUIRE(read->namespaces.size() == 2);
  CHECK(read->namespaces[0].name == "sstate-cache");
  CHECK(read->namespaces[0].objects == 11);
  CHECK(read->namespaces[0].saved_bytes() == 19);
  CHECK(read->namespaces[0].bytes_received == 21);
  CHECK(to_json(stat).find("\"saved_bytes\":19") != std::string::npos);
}

TEST_CASE("nothing is saved where the names went and the objects are still there", "[api]") {
  NamespaceStat name_space;
  name_space.logical_bytes = 1;
  name_space.physical_bytes = 2;
  CHECK(name_space.saved_bytes() == 0);
}

TEST_CASE("a problem names both digests only when there are any", "[api]") {
  const Problem conflict{409, "conflict", "other bytes are stored under this name", "aa", "bb"};
  const auto read = problem_from_json(to_json(conflict));
  REQUIRE(read.ok());
  CHECK(read->status == 409);
  CHECK(read->code == "conflict");
  CHECK(read->detail == conflict.detail);
  CHECK(read->existing == "aa");
  CHECK(read->offered == "bb");
  CHECK(to_json(Problem{404, "not-found", "no", "", ""}).find("existing") == std::string::npos);
}

TEST_CASE("a listing keeps names as they are", "[api]") {
  Listing listing;
  listing.path = "/n/<b>/";
  listing.entries = {{"dir", true, 0, 0, ""}, {"a\"b\\c\xC3\xA4", false, k_huge, 1700000000, "ab"}};
  const auto read = listing_from_json(to_json(listing));
  REQUIRE(read.ok());
  CHECK(read->path == listing.path);
  REQUIRE(read->entries.size() == 2);
  CHECK(read->entries[0].directory);
  CHECK(read->entries[1].name == listing.entries[1].name);
  CHECK(read->entries[1].size == k_huge);
  CHECK(read->entries[1].stored == 1700000000);
  CHECK(read->entries[1].digest == "ab");
}

TEST_CASE("adopt events carry counts always and reasons when there are any", "[api]") {
  const AdoptEvent event{"a/b", "skipped", "a lock", 1, 2, 3, 4, 5, true};
  const auto read = adopt_event_from_json(to_json(event));
  REQUIRE(read.ok());
  CHECK(read->path == "a/b");
  CHECK(read->outcome == "skipped");
  CHECK(read->reason == "a lock");
  CHECK(read->adopted == 1);
  CHECK(read->present == 2);
  CHECK(read->skipped == 3);
  CHECK(read->failed == 4);
  CHECK(read->bytes == 5);
  CHECK(read->done);
  CHECK(to_json(AdoptEvent{}).find("path") == std::string::npos);
}

TEST_CASE("verify events and the state of the background check survive the way", "[api]") {
  VerifyEvent event;
  event.path = "ns/a";
  event.defect = "corrupt";
  event.detail = "reads as";
  event.action = "quarantined";
  event.names = 1;
  event.objects = 2;
  event.hashed = 3;
  event.bytes = 4;
  event.defects = 5;
  event.repaired = 6;
  event.total_bytes = 7;
  event.resumed = true;
  event.complete = true;
  event.done = true;
  const auto read = verify_event_from_json(to_json(event));
  REQUIRE(read.ok());
  CHECK(to_json(*read) == to_json(event));
  CHECK(read->action == "quarantined");
  CHECK(read->total_bytes == 7);
  CHECK(to_json(VerifyEvent{}).find("path") == std::string::npos);
  CHECK_FALSE(verify_event_from_json("[]").ok());

  Stat stat;
  stat.scrub = {true, 11, 12, 13, 14, 15};
  const auto told = stat_from_json(to_json(stat));
  REQUIRE(told.ok());
  CHECK(told->scrub.running);
  CHECK(told->scrub.started == 11);
  CHECK(told->scrub.finished == 12);
  CHECK(told->scrub.bytes == 13);
  CHECK(told->scrub.defects == 14);
  CHECK(told->scrub.last_defects == 15);
}

TEST_CASE("an answer of another version is read as far as it is understood", "[api]") {
  const auto stat = stat_from_json(
      R"({"version": 7, "objects": -1, "ready": "yes", "logical_bytes": 1e300, "new": [], "namespaces": [1, {"name": "n"}]})");
  REQUIRE(stat.ok());
  CHECK(stat->version.empty());
  CHECK(stat->objects == 0);
  CHECK_FALSE(stat->ready);
  CHECK(stat->logical_bytes == 0);
  REQUIRE(stat->namespaces.size() == 1);
  CHECK(stat->namespaces[0].name == "n");
  CHECK(listing_from_json("{}")->entries.empty());
}

TEST_CASE("what is no JSON object is an error that says what was expected", "[api]") {
  for (const std::string_view text : {"", "[]", "null", "{", "<html>", "{} x"}) {
    INFO(text);
    REQUIRE_FALSE(stat_from_json(text).ok());
    CHECK(stat_from_json(text).error().code() == Errc::invalid_argument);
    CHECK_FALSE(problem_from_json(text).ok());
    CHECK_FALSE(listing_from_json(text).ok());
    CHECK_FALSE(adopt_event_from_json(text).ok());
  }
}
