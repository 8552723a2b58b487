#include "client/server_url.hpp"

#include <string>

#include "tests/support/catch.hpp"

namespace {

using namespace larder::client;

TEST_CASE("a server is named with or without scheme, credentials and path", "[client][server_url]") {
  const struct {
    std::string text, base, user, password;
  } cases[] = {
      {"http://127.0.0.1:8480", "http://127.0.0.1:8480", "", ""},
      {"http://cache/", "http://cache", "", ""},
      {"cache:8480", "http://cache:8480", "", ""},
      {"https://cache/prefix//", "https://cache/prefix", "", ""},
      {"http://[::1]:8480", "http://[::1]:8480", "", ""},
      {"http://ci:secret@cache:8480", "http://cache:8480", "ci", "secret"},
      {"http://ci@cache", "http://cache", "ci", ""},
      {"http://a%40b:p%3Aq%2F@cache", "http://cache", "a@b", "p:q/"},
      {"http://ci:a:b@c@cache", "http://cache", "ci", "a:b@c"},
  };
  for (const auto& each : cases) {
    INFO(each.text);
    const auto url = parse_server_url(each.text);
    REQUIRE(url);
    CHECK(url->base == each.base);
    CHECK(url->user == each.user);
    CHECK(url->password == each.password);
  }
}

TEST_CASE("what is no server is refused", "[client][server_url]") {
  for (const std::string text : {"", "http://", "ftp://cache", "http:///path", "http://:80", "http://a b",
                                 "http://a?x", "http://a#x", "http://a:50%@cache"}) {
    INFO(text);
    const auto url = parse_server_url(text);
    REQUIRE_FALSE(url);
    CHECK(url.error().code() == larder::Errc::invalid_argument);
  }
}

}  // namespace
