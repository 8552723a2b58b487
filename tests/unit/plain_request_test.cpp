#include "server/http/plain_request.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

namespace {

constexpr std::string_view k_bitbake =
    "HEAD /sstate-cache/ab/cd/sstate%3Azlib HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: cache:8480\r\n"
    "Accept: */*\r\nUser-Agent: bitbake/2.19.0\r\nConnection: Keep-Alive\r\n\r\n";

std::string get_with(std::string_view fields) {
  return "GET /a HTTP/1.1\r\nHost: larder\r\n" + std::string(fields) + "\r\n";
}

// What is taken must be what RequestParser makes of it. Returns whether it was.
bool is_plain(std::string_view input, HeaderLimits limits = {}) {
  const auto plain = read_plain_request(input, limits);
  if (!plain) return false;
  RequestParser parser(limits);
  const ParseStep step = parser.feed(input);
  REQUIRE(step.event == ParseEvent::header);
  const Request& request = parser.request();
  CHECK(step.consumed == plain->size);
  CHECK(request.method == plain->method);
  CHECK(request.target == plain->target);
  CHECK(request.accept == plain->accept);
  CHECK(request.authorization == plain->authorization);
  CHECK(request.version == 11);
  CHECK(request.keep_alive);
  CHECK_FALSE(request.has_body());
  CHECK_FALSE(request.is_conditional());
  CHECK_FALSE(request.expects_continue);
  return true;
}

}  // namespace

TEST_CASE("what the usual clients send is read in one go", "[plain_request]") {
  CHECK(is_plain(k_bitbake));
  CHECK(
      is_plain("GET /downloads/a.tar.xz HTTP/1.1\r\nHost: 127.0.0.1:8480\r\nUser-Agent: curl/7.88.1\r\n"
               "Accept: */*\r\n\r\n"));
  CHECK(
      is_plain("GET /a HTTP/1.1\r\nUser-Agent: Wget/1.21.3\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
               "Host: [::1]:8480\r\nConnection: Keep-Alive\r\n\r\n"));
  CHECK(is_plain(get_with("Authorization: Basic Zm9vOmJhcg==\r\n")));
  CHECK(is_plain(get_with("AUTHORIZATION:Bearer x \t\r\naccept:\t a, b ;q=0.1\r\nPragma: no-cache\r\n")));
  CHECK(read_plain_request(get_with("Authorization:  Basic Zm9v \r\n"), {})->authorization == "Basic Zm9v");
}

TEST_CASE("the next request is left where it is", "[plain_request]") {
  const std::string two = std::string(k_bitbake) + get_with("");
  CHECK(is_plain(two));
  CHECK(read_plain_request(two, {})->size == k_bitbake.size());
}

TEST_CASE("a header that is not here as a whole is left alone", "[plain_request]") {
  for (std::size_t cut = 0; cut < k_bitbake.size(); ++cut) CHECK_FALSE(is_plain(k_bitbake.substr(0, cut)));
}

TEST_CASE("what is out of the ordinary is left to the parser", "[plain_request]") {
  const auto table = std::vector<std::string>{
      "PUT /a HTTP/1.1\r\nHost: h\r\n\r\n",
      "get /a HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /a HTTP/1.0\r\nHost: h\r\n\r\n",
      "GET /a HTTP/2.0\r\nHost: h\r\n\r\n",
      "GET /a HTTP/1.1 \r\nHost: h\r\n\r\n",
      "GET  /a HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /a\tHTTP/1.1\r\nHost: h\r\n\r\n",
      "GET  HTTP/1.1\r\nHost: h\r\n\r\n",
      "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /a HTTP/1.1\nHost: h\n\n",
      "GET /a HTTP/1.1\r\nHost: h\n\r\n",
      "GET /a HTTP/1.1\r\nHost: h\r\n\n",
      "GET /a HTTP/1.1\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost:\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: h, i\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost : h\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: h\r\nAccept: a\r\n b\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: h\r\nAccept: a\rb\r\n\r\n",
      std::string("GET /a HTTP/1.1\r\nHost: h\r\nAccept: a\0b\r\n\r\n", 42),
      get_with("Connection: close\r\n"),
      get_with("Connection: keep-alive, upgrade\r\n"),
      get_with("Content-Length: 0\r\n"),
      get_with("Content-Length: 5\r\n"),
      get_with("Transfer-Encoding: chunked\r\n"),
      get_with("Expect: 100-continue\r\n"),
      get_with("Range: bytes=0-1\r\n"),
      get_with("If-Range: \"a\"\r\n"),
      get_with("If-None-Match: *\r\n"),
      get_with("If-Match: *\r\n"),
      get_with("If-Modified-Since: x\r\n"),
      get_with("If-Unmodified-Since: x\r\n"),
      get_with("Accept: a\r\nAccept: b\r\n"),
      get_with("Authorization: a\r\nAuthorization: b\r\n"),
      get_with("Upgrade: h2c\r\n"),
      get_with("X-Unheard-Of: yes\r\n"),
  };
  for (const std::string& text : table) {
    INFO(text);
    CHECK_FALSE(is_plain(text));
  }
}

TEST_CASE("limits hold for plain requests, too", "[plain_request]") {
  const std::string request = "GET /abcdefgh HTTP/1.1\r\nHost: h\r\n\r\n";
  CHECK(is_plain(request, {request.size(), 9}));
  CHECK_FALSE(is_plain(request, {request.size() - 1, 9}));
  CHECK_FALSE(is_plain(request, {request.size(), 8}));
}
