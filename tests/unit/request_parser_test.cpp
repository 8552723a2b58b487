#include "server/http/request_parser.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

namespace {

// One message, or what was left of one, as a test wants to compare it.
struct Message {
  std::string target;
  std::string body;
  bool keep_alive = false;
  bool complete = false;
  int refused = 0;
  bool operator==(const Message&) const = default;
};

// All messages of `stream`, which arrives in pieces of `cut` bytes.
std::vector<Message> parse(std::string_view stream, std::size_t cut, HeaderLimits limits = {}) {
  RequestParser parser(limits);
  std::vector<Message> messages;
  Message message;
  const auto finish = [&] {
    messages.push_back(message);
    message = {};
    parser.reset();
  };
  while (!stream.empty()) {
    std::string_view piece = stream.substr(0, cut);
    stream.remove_prefix(piece.size());
    while (!piece.empty()) {
      const ParseStep step = parser.feed(piece);
      REQUIRE(step.consumed <= piece.size());
      piece.remove_prefix(step.consumed);
      if (step.event == ParseEvent::header) {
        message.target = parser.request().target;
        message.keep_alive = parser.request().keep_alive;
      }
      message.body += step.body;
      if (step.event == ParseEvent::failed) {
        message.refused = parser.refusal().status;
        CHECK_FALSE(parser.refusal().reason.empty());
        messages.push_back(message);
        return messages;
      }
      if (step.event == ParseEvent::need_more) CHECK(piece.empty());
      message.complete = parser.complete();
      if (parser.complete()) finish();
    }
  }
  if (!parser.idle()) messages.push_back(message);
  return messages;
}

std::vector<Message> parse_whole(std::string_view stream) {
  return parse(stream, stream.size());
}

// The status a single request is refused with, 0 when it is not, however it is cut.
int refusal_of(std::string_view request, HeaderLimits limits = {}) {
  const auto whole = parse(request, request.size(), limits);
  for (std::size_t cut = 1; cut < 70; ++cut) {
    INFO("in pieces of " << cut << " bytes");
    CHECK(parse(request, cut, limits) == whole);
  }
  return whole.empty() ? 0 : whole.back().refused;
}

Request request_of(std::string_view header) {
  RequestParser parser;
  const ParseStep step = parser.feed(header);
  REQUIRE(step.event == ParseEvent::header);
  return parser.request();
}

std::string get_with(std::string_view fields) {
  return "GET /a HTTP/1.1\r\nHost: larder\r\n" + std::string(fields) + "\r\n";
}

}  // namespace

TEST_CASE("a request as BitBake sends it is understood", "[request_parser]") {
  const Request request = request_of(
      "HEAD /sstate-cache/ab/cd/sstate%3Azlib HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: cache:8480\r\n"
      "Accept: */*\r\nUser-Agent: bitbake/2.19.0\r\nConnection: Keep-Alive\r\n\r\n");
  CHECK(request.method == Method::head);
  CHECK(request.method_text == "HEAD");
  CHECK(request.target == "/sstate-cache/ab/cd/sstate%3Azlib");
  CHECK(request.version == 11);
  CHECK(request.keep_alive);
  CHECK(request.host == "cache:8480");
  CHECK(request.accept == "*/*");
  CHECK(request.accept_encoding == "identity");
  CHECK(request.user_agent == "bitbake/2.19.0");
  CHECK_FALSE(request.has_body());
}

TEST_CASE("every field the server acts on is kept, whatever the case of its name", "[request_parser]") {
  const Request request = request_of(
      "PUT /n/a HTTP/1.1\r\nHOST: h\r\nrange: bytes=1-\r\nIF-RANGE: \"a\"\r\nIf-Match: \"b\"\r\n"
      "If-None-Match: *\r\nIf-Modified-Since: x\r\nIf-Unmodified-Since: y\r\ncontent-encoding: gzip\r\n"
      "Content-Type: text/plain\r\nAuthorization: Basic Zm9v\r\nREPR-DIGEST: sha-256=:x:\r\n"
      "Content-Digest: sha-256=:y:\r\nDigest: SHA-256=z\r\nx-checksum-SHA256: 00\r\nDepth: 1\r\n"
      "ORIGIN: null\r\nsec-fetch-SITE: cross-site\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n");
  CHECK(request.method == Method::put);
  CHECK(request.range == "bytes=1-");
  CHECK(request.if_range == "\"a\"");
  CHECK(request.if_match == "\"b\"");
  CHECK(request.if_none_match == "*");
  CHECK(request.if_modified_since == "x");
  CHECK(request.if_unmodified_since == "y");
  CHECK(request.content_encoding == "gzip");
  CHECK(request.content_type == "text/plain");
  CHECK(request.authorization == "Basic Zm9v");
  CHECK(request.repr_digest == "sha-256=:x:");
  CHECK(request.content_digest == "sha-256=:y:");
  CHECK(request.digest == "SHA-256=z");
  CHECK(request.x_checksum_sha256 == "00");
  CHECK(request.depth == "1");
  CHECK(request.origin == "null");
  CHECK(request.sec_fetch_site == "cross-site");
  CHECK(request.content_length == 12);
  CHECK(request.expects_continue);
}

TEST_CASE("methods are told apart, case and all", "[request_parser]") {
  const auto method = [](std::string_view name) {
    return request_of(std::string(name) + " / HTTP/1.1\r\nHost: h\r\n\r\n").method;
  };
  for (const Method each : {Method::get, Method::head, Method::put, Method::delete_, Method::post,
                            Method::options, Method::mkcol, Method::propfind})
    CHECK(method(name_of(each)) == each);
  CHECK(method("get") == Method::other);
  CHECK(method("PATCH") == Method::other);
  CHECK(request_of("PATCH / HTTP/1.1\r\nHost: h\r\n\r\n").method_text == "PATCH");
}

TEST_CASE("a connection stays open as the version and the Connection header say", "[request_parser]") {
  struct Case {
    std::string_view version;
    std::string_view connection;
    bool keep_alive;
  };
  const auto table = std::vector<Case>{
      {"1.1", "", true},           {"1.1", "close", false},      {"1.1", "Close", false},
      {"1.1", "keep-alive", true}, {"1.1", "foo, close", false}, {"1.0", "", false},
      {"1.0", "Keep-Alive", true}, {"1.0", "close", false},
  };
  for (const auto& [version, connection, keep_alive] : table) {
    std::string text = "GET / HTTP/" + std::string(version) + "\r\nHost: h\r\n";
    if (!connection.empty()) text += "Connection: " + std::string(connection) + "\r\n";
    INFO(text);
    CHECK(request_of(text + "\r\n").keep_alive == keep_alive);
  }
}

TEST_CASE("a field that comes twice reads as a list", "[request_parser]") {
  CHECK(request_of(get_with("If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n")).if_none_match ==
        "\"a\", \"b\"");
}

TEST_CASE("pipelined requests come out in order, in every cut", "[request_parser]") {
  const std::string stream =
      "GET /one HTTP/1.1\r\nHost: h\r\n\r\n"
      "PUT /two HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world"
      "PUT /three HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n1;note=\"a b\"\r\n \r\n00A ; x\r\n0123456789\r\n0\r\nX-Trailer: yes\r\n\r\n"
      "\r\nPUT /four HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"
      "PUT /five HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
      "HEAD /six HTTP/1.0\r\n\r\n";
  const std::vector<Message> expected = {
      {"/one", "", true, true, 0},
      {"/two", "hello world", true, true, 0},
      {"/three", "hello 0123456789", true, true, 0},
      {"/four", "", true, true, 0},
      {"/five", "", true, true, 0},
      {"/six", "", false, true, 0},
  };
  for (std::size_t cut = 1; cut <= stream.size(); ++cut) {
    INFO("in pieces of " << cut << " bytes");
    CHECK(parse(stream, cut) == expected);
  }
}

TEST_CASE("no byte of a body is taken before the header is told", "[request_parser]") {
  RequestParser parser;
  const std::string header =
      "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
  const ParseStep first = parser.feed(header + "body");
  CHECK(first.event == ParseEvent::header);
  CHECK(first.consumed == header.size());
  CHECK_FALSE(parser.complete());

  const ParseStep second = parser.feed("bodyGET");
  CHECK(second.event == ParseEvent::body);
  CHECK(second.body == "body");
  CHECK(parser.complete());
  CHECK(parser.body_bytes() == 4);
  CHECK(parser.feed("GET").event == ParseEvent::complete);
  CHECK(parser.feed("GET").consumed == 0);
}

TEST_CASE("an expectation counts only with a body, and only in HTTP/1.1", "[request_parser]") {
  CHECK_FALSE(request_of(get_with("Expect: 100-continue\r\n")).expects_continue);
  CHECK_FALSE(
      request_of("PUT / HTTP/1.0\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").expects_continue);
  CHECK(refusal_of(get_with("Expect: the-unexpected\r\n")) == 417);
}

TEST_CASE("a parser forgets one request before the next", "[request_parser]") {
  RequestParser parser;
  CHECK(parser.idle());
  parser.feed("GET /a HTTP/1.0\r\nRange: bytes=0-\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
  CHECK_FALSE(parser.idle());
  CHECK(parser.complete());
  parser.reset();
  CHECK(parser.idle());
  parser.feed("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(parser.request().target == "/b");
  CHECK(parser.request().range.empty());
  CHECK(parser.request().version == 11);
  CHECK_FALSE(parser.request().content_length.has_value());
}

TEST_CASE("an empty line between requests does not start one", "[request_parser]") {
  RequestParser parser;
  parser.feed("\r");
  parser.feed("\n");
  CHECK(parser.idle());
  parser.feed("G");
  CHECK_FALSE(parser.idle());
}

TEST_CASE("headers that two servers could read in two ways are refused", "[request_parser][smuggling]") {
  using namespace std::string_literals;
  const auto table = std::vector<std::pair<std::string, int>>{
      {"GET / HTTP/1.1\nHost: h\n\n", 400},  // bare line feeds
      {"GET / HTTP/1.1\r\nHost: h\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: h\r\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", 400},  // bare carriage returns
      {"GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: h\r\n\rX", 400},
      {"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400},  // obs-fold
      {"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},  // space before the colon
      {"GET / HTTP/1.1\r\nHost\t: h\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400},       // no name
      {"GET / HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n", 400},  // no colon
      {"GET / HTTP/1.1\r\nHost: h\r\nA\x80: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: h\r\nA: b\0c\r\n\r\n"s, 400},  // control characters
      {"GET / HTTP/1.1\r\nHost: h\r\nA: b\x01\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: h\r\nA: b\x7F\r\n\r\n", 400},
      {"GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"s, 400},
      {"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},  // request lines
      {"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /\tHTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {" GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},  // one empty line, not two
      {"\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"G@T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {std::string(33, 'M') + " / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},  // a TLS ClientHello
      {"GET / HTTP/1.1\r\n\r\n", 400},                         // no Host, or two
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: <a>\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\nHost: [::1]:8480\r\n\r\n", 0},
      {"GET / HTTP/1.0\r\n\r\n", 0},
      {"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 0},
      {"GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB: \t x \t\r\nC: \xC3\xA4\r\n\r\n", 0},
  };
  for (const auto& [text, status] : table) {
    INFO(text);
    CHECK(refusal_of(text) == status);
  }
}

TEST_CASE("other versions of HTTP are named as such", "[request_parser]") {
  for (const std::string version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3.1", "HTTP/9.9"})
    CHECK(refusal_of("GET / " + version + "\r\nHost: h\r\n\r\n") == 505);
  CHECK(refusal_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
  for (const std::string version :
       {"HTTX/1.1", "http/1.1", "HTTP/1", "HTTP/11", "HTTP/1.10", "HTTP/1,1", "ICY"})
    CHECK(refusal_of("GET / " + version + "\r\nHost: h\r\n\r\n") == 400);
}

TEST_CASE("a body has one length, and it is a number", "[request_parser][smuggling]") {
  const auto table = std::vector<std::pair<std::string, int>>{
      {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400},
      {"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Content-Length: 3\r\nContent-Length: 3\r\n", 400},
      {"Content-Length: 3\r\nContent-Length: 4\r\n", 400},
      {"Content-Length: 3, 3\r\n", 400},
      {"Content-Length: +3\r\n", 400},
      {"Content-Length: -3\r\n", 400},
      {"Content-Length: 0x3\r\n", 400},
      {"Content-Length: 3 3\r\n", 400},
      {"Content-Length: 3;\r\n", 400},
      {"Content-Length: \r\n", 400},
      {"Content-Length: 18446744073709551616\r\n", 400},
      {"Content-Length: 99999999999999999999999\r\n", 400},
      {"Transfer-Encoding: gzip\r\n", 400},
      {"Transfer-Encoding: gzip, chunked\r\n", 501},
      {"Transfer-Encoding: gzip,\t chunked\r\n", 501},
      {"Transfer-Encoding: chunked, gzip\r\n", 400},
      {"Transfer-Encoding: chunked, gzip, chunked\r\n", 400},
      {"Transfer-Encoding: chunked, chunked\r\n", 400},
      {"Transfer-Encoding: chunked;q=1\r\n", 400},
      {"Transfer-Encoding: xchunked\r\n", 400},
      {"Transfer-Encoding: \"chunked\"\r\n", 400},
      {"Transfer-Encoding: identity\r\n", 400},
      {"Transfer-Encoding: \r\n", 400},
      {"Transfer-Encoding: \x0b"
       "chunked\r\n",
       400},
      {"Transfer-Encoding : chunked\r\n", 400},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400},
      {"Content-Length: 00\r\n", 0},
      {"Content-Length: \t18446744073709551615 \r\n", 0},
      {"Transfer-Encoding: CHUNKED\r\n", 0},
  };
  for (const auto& [fields, status] : table) {
    INFO(fields);
    CHECK(refusal_of("PUT /a HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n") == status);
  }
  CHECK(refusal_of("PUT /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
}

TEST_CASE("chunks that could be read in two ways are refused", "[request_parser][smuggling]") {
  using namespace std::string_literals;
  const std::string header = "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto table = std::vector<std::pair<std::string, int>>{
      {"5\nhello\r\n0\r\n\r\n", 400},
      {"5\r\nhello\n0\r\n\r\n", 400},
      {"5\r\nhello\r0\r\n\r\n", 400},
      {"5\rhello\r\n0\r\n\r\n", 400},
      {"5\r\nhello\r\n0\n\n", 400},
      {"5\r\nhello\r\n0\r\n\n", 400},
      {"5\r\nhello!\r\n0\r\n\r\n", 400},
      {"5 \r\nhello\r\n0\r\n\r\n", 400},
      {" 5\r\nhello\r\n0\r\n\r\n", 400},
      {"0x5\r\nhello\r\n0\r\n\r\n", 400},
      {"+5\r\nhello\r\n0\r\n\r\n", 400},
      {"-1\r\n", 400},
      {"5,5\r\nhello\r\n0\r\n\r\n", 400},
      {"\r\n", 400},
      {";x\r\n", 400},
      {"g\r\n", 400},
      {"00000000000000005\r\n", 400},
      {"8000000000000000\r\n", 400},
      {"FFFFFFFFFFFFFFFF\r\n", 400},
      {"10000000000000000\r\n", 400},
      {"5;a\nb\r\nhello\r\n0\r\n\r\n", 400},
      {"5;a\0b\r\nhello"s, 400},
      {"0\r\nA : b\r\n\r\n", 400},
      {"0\r\n folded\r\n\r\n", 400},
      {"0\r\nA: b\n\r\n", 400},
      {"5\r\nhello\r\n0\r\n\r\n", 0},
      {"0000000000000005\r\nhello\r\n0\r\n\r\n", 0},
      {"5;a=b;c=\"d\"\r\nhello\r\n000;z\r\nContent-Length: 7\r\n\r\n", 0},
  };
  for (const auto& [body, status] : table) {
    INFO(body);
    CHECK(refusal_of(header + body) == status);
  }
}

TEST_CASE("chunk extensions and trailers cannot go on for ever", "[request_parser][smuggling]") {
  const std::string header = "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "1;ext=1\r\nx\r\n";
  CHECK(parse_whole(header + many + "0\r\n\r\n").back().refused == 400);
  CHECK(parse_whole(header + "1;" + std::string(k_max_chunk_extensions, 'e')).back().refused == 400);
  CHECK(parse_whole(header + "1;" + std::string(k_max_chunk_extensions - 1, 'e') + "\r\nx\r\n0\r\n\r\n")
            .back()
            .complete);
  CHECK(parse_whole(header + "0\r\nA: " + std::string(20000, 't')).back().refused == 431);
}

TEST_CASE("a header is refused at the byte that makes it too large", "[request_parser]") {
  HeaderLimits limits;
  limits.block_bytes = 256;
  const std::string start = "GET /a HTTP/1.1\r\nHost: h\r\nA: ";
  const std::string fits = start + std::string(256 - start.size() - 4, 'x') + "\r\n\r\n";
  REQUIRE(fits.size() == 256);
  CHECK(refusal_of(fits, limits) == 0);
  CHECK(refusal_of("\r\n" + fits, limits) == 431);
  CHECK(refusal_of(start + std::string(256 - start.size() - 3, 'x') + "\r\n\r\n", limits) == 431);
}

TEST_CASE("a target is refused at the byte that makes it too long", "[request_parser]") {
  HeaderLimits limits;
  limits.target_bytes = 64;
  const auto request = [](std::size_t length) {
    return "GET /" + std::string(length - 1, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n";
  };
  CHECK(refusal_of(request(64), limits) == 0);
  CHECK(refusal_of(request(65), limits) == 414);
}

TEST_CASE("what follows a refusal is not looked at", "[request_parser]") {
  RequestParser parser;
  CHECK(parser.feed("GET / HTTP/1.1\nHost: h\r\n\r\n").event == ParseEvent::failed);
  CHECK(parser.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n").event == ParseEvent::failed);
  CHECK(parser.feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n").consumed == 0);
}

TEST_CASE("a block can be checked on its own", "[request_parser]") {
  CHECK(header_block_defect("GET / HTTP/1.1\r\nHost: h\r\n\r\n").empty());
  CHECK_FALSE(header_block_defect("GET / HTTP/1.1\r\nHost: h\r\n").empty());
  CHECK_FALSE(header_block_defect("GET / HTTP/1.1\nHost: h\r\n\r\n").empty());
}
