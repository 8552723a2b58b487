#include "server/http/reply.hpp"

#include "common/hasher.hpp"
#include "server/http/date.hpp"
#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

TEST_CASE("the head of an artifact is the same, whichever way it is written", "[reply]") {
  ArtifactHead artifact;
  artifact.digest = Hasher::of("content");
  for (const std::uint64_t size : {0UL, 7UL, 20480UL, ~0UL}) {
    for (const UnixSeconds stored : {0L, 1'234'567'890L, 4'102'444'800L}) {
      artifact.size = size;
      artifact.stored = stored;
      Reply reply(200);
      reply.content_type = "application/octet-stream";
      reply.content_length = size;
      reply.etag = artifact.digest.hex();
      reply.last_modified = stored;
      reply.accept_ranges = true;
      for (const KeepAlive keep_alive : {KeepAlive::yes, KeepAlive::no}) {
        for (const int version : {10, 11}) {
          std::string general;
          std::string at_once;
          append_head(general, reply, version, keep_alive, "DATE");
          append_artifact_head(at_once, artifact, version, keep_alive, "DATE");
          CHECK(at_once == general);
        }
      }
    }
  }
}

TEST_CASE("a miss is the same, whichever way it is written", "[reply]") {
  Reply reply(404);
  reply.content_type = "text/plain";
  reply.content_length = k_missing.size();
  for (const KeepAlive keep_alive : {KeepAlive::yes, KeepAlive::no}) {
    for (const int version : {10, 11}) {
      std::string general;
      append_head(general, reply, version, keep_alive, "DATE");
      std::string head;
      append_missing(head, Method::head, version, keep_alive, "DATE");
      CHECK(head == general);
      std::string get;
      append_missing(get, Method::get, version, keep_alive, "DATE");
      CHECK(get == general + std::string(k_missing));
    }
  }
}

TEST_CASE("a date is the same on every day of four centuries", "[date]") {
  // The calendar repeats after 146,097 days; the weekday with it.
  UnixSeconds day = 0;
  std::string before;
  for (int i = 0; i < 146097; ++i, day += 86400) {
    const std::string text = format_http_date(day);
    REQUIRE(text != before);
    REQUIRE(parse_http_date(text) == day);
    before = text;
  }
  CHECK(format_http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(format_http_date(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
}
