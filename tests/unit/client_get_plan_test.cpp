#include "client/get_plan.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace {

using namespace larder::client;

const std::string k_hex(64, 'a');
const std::string k_etag = "\"" + k_hex + "\"";

TEST_CASE("only a strong ETag of 64 digits states a digest", "[client][get]") {
  REQUIRE(digest_of_etag(k_etag));
  CHECK(digest_of_etag(k_etag)->hex() == k_hex);
  for (const std::string& etag : {std::string(), std::string("\""), std::string("\"\""), k_hex, "W/" + k_etag,
                                  "\"" + k_hex + "0\"", std::string("\"5f3-1a2b\"")}) {
    INFO(etag);
    CHECK_FALSE(digest_of_etag(etag));
  }
}

TEST_CASE("a resumed request names where to go on and of which bytes", "[client][get]") {
  CHECK(resume_headers({1000, k_etag}) ==
        std::vector<std::string>{"Range: bytes=1000-", "If-Range: " + k_etag});
  CHECK(resume_headers({0, k_etag}).empty());
  CHECK(resume_headers({1000, ""}).empty());  // nothing says whose bytes these are
}

TEST_CASE("what to do with an answer", "[client][get]") {
  const Partial partial{1000, k_etag};
  CHECK(get_step(partial, 206, "bytes 1000-1999/2000") == GetStep::append);
  CHECK(get_step(partial, 206, "bytes 100-1999/2000") == GetStep::refused);
  CHECK(get_step(partial, 206, "bytes 10000-19999/20000") == GetStep::refused);
  CHECK(get_step(partial, 206, "") == GetStep::refused);
  CHECK(get_step(partial, 200, "") == GetStep::restart);
  CHECK(get_step(partial, 416, "bytes */1000") == GetStep::compare);
  CHECK(get_step(partial, 404, "") == GetStep::not_there);
  CHECK(get_step(partial, 500, "") == GetStep::refused);
}

TEST_CASE("a partial file has a short name of its own for every object", "[client][get]") {
  const std::string name = partial_name("http://cache/sstate-cache/" + std::string(254, 'x'));
  CHECK(name.size() < 64);
  CHECK(name == partial_name("http://cache/sstate-cache/" + std::string(254, 'x')));
  CHECK(name != partial_name("http://cache/sstate-cache/" + std::string(253, 'x')));
}

}  // namespace
