#include "server/http/conditional.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

namespace {

constexpr std::string_view k_before = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr std::string_view k_same = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view k_after = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr Validators k_current{"abc", 784111777};

Request request(Method method) {
  Request result;
  result.method = method;
  return result;
}

Precondition with(Method method, std::string Request::*field, std::string_view value,
                  const std::optional<Validators>& current = k_current) {
  Request asked = request(method);
  asked.*field = value;
  return evaluate(asked, current);
}

}  // namespace

TEST_CASE("a request without conditions proceeds", "[conditional]") {
  CHECK(evaluate(request(Method::get), k_current) == Precondition::proceed);
  CHECK(evaluate(request(Method::put), std::nullopt) == Precondition::proceed);
}

TEST_CASE("If-None-Match answers 304 to readers and 412 to writers", "[conditional]") {
  struct Case {
    std::string_view value;
    bool matches;
  };
  const auto table = std::vector<Case>{
      {"\"abc\"", true},
      {"W/\"abc\"", true},
      {"*", true},
      {"\"x\", \"abc\"", true},
      {"\"x\",W/\"abc\"", true},
      {",, \"x\" ,\t\"abc\",", true},
      {"\"x\"", false},
      {"\"ABC\"", false},
      {"abc", false},
      {"\"abc", false},
      {"\"\"", false},
      {"w/\"abc\"", false},
      {"\"a,bc\"", false},
      {"\"x\" junk \"abc\"", false},
      {",", false},
      {"**", false},
  };
  for (const auto& [value, matches] : table) {
    INFO(value);
    for (const Method method : {Method::get, Method::head})
      CHECK(with(method, &Request::if_none_match, value) ==
            (matches ? Precondition::not_modified : Precondition::proceed));
    for (const Method method : {Method::put, Method::delete_, Method::post})
      CHECK(with(method, &Request::if_none_match, value) ==
            (matches ? Precondition::failed : Precondition::proceed));
    CHECK(with(Method::put, &Request::if_none_match, value, std::nullopt) == Precondition::proceed);
  }
}

TEST_CASE("If-Match compares strongly and needs something to be there", "[conditional]") {
  for (const Method method : {Method::get, Method::head, Method::put, Method::delete_}) {
    CHECK(with(method, &Request::if_match, "\"abc\"") == Precondition::proceed);
    CHECK(with(method, &Request::if_match, "*") == Precondition::proceed);
    CHECK(with(method, &Request::if_match, "\"x\", \"abc\"") == Precondition::proceed);
    CHECK(with(method, &Request::if_match, "W/\"abc\"") == Precondition::failed);
    CHECK(with(method, &Request::if_match, "\"x\"") == Precondition::failed);
    CHECK(with(method, &Request::if_match, "abc") == Precondition::failed);
  }
  CHECK(with(Method::put, &Request::if_match, "*", std::nullopt) == Precondition::failed);
  CHECK(with(Method::put, &Request::if_match, "\"abc\"", std::nullopt) == Precondition::failed);
}

TEST_CASE("If-Modified-Since is for readers", "[conditional]") {
  for (const Method method : {Method::get, Method::head}) {
    CHECK(with(method, &Request::if_modified_since, k_before) == Precondition::proceed);
    CHECK(with(method, &Request::if_modified_since, k_same) == Precondition::not_modified);
    CHECK(with(method, &Request::if_modified_since, k_after) == Precondition::not_modified);
    CHECK(with(method, &Request::if_modified_since, "yesterday") == Precondition::proceed);
  }
  CHECK(with(Method::put, &Request::if_modified_since, k_after) == Precondition::proceed);
}

TEST_CASE("If-Unmodified-Since is for everybody", "[conditional]") {
  for (const Method method : {Method::get, Method::put}) {
    CHECK(with(method, &Request::if_unmodified_since, k_before) == Precondition::failed);
    CHECK(with(method, &Request::if_unmodified_since, k_same) == Precondition::proceed);
    CHECK(with(method, &Request::if_unmodified_since, k_after) == Precondition::proceed);
    CHECK(with(method, &Request::if_unmodified_since, "tomorrow") == Precondition::proceed);
  }
  CHECK(with(Method::put, &Request::if_unmodified_since, k_before, std::nullopt) == Precondition::proceed);
}

TEST_CASE("entity tags outrank dates, and If-Match comes first", "[conditional]") {
  Request asked = request(Method::get);
  asked.if_match = "\"abc\"";
  asked.if_unmodified_since = k_before;
  CHECK(evaluate(asked, k_current) == Precondition::proceed);

  asked.if_none_match = "\"abc\"";
  CHECK(evaluate(asked, k_current) == Precondition::not_modified);

  asked.if_match = "\"x\"";
  CHECK(evaluate(asked, k_current) == Precondition::failed);

  asked = request(Method::get);
  asked.if_none_match = "\"x\"";
  asked.if_modified_since = k_after;
  CHECK(evaluate(asked, k_current) == Precondition::proceed);

  asked = request(Method::get);
  asked.if_unmodified_since = k_before;
  asked.if_none_match = "\"abc\"";
  CHECK(evaluate(asked, k_current) == Precondition::failed);
}

TEST_CASE("a range counts when If-Range names what is there", "[conditional]") {
  Request asked = request(Method::get);
  CHECK_FALSE(range_applies(asked, k_current));
  asked.if_range = "\"abc\"";
  CHECK_FALSE(range_applies(asked, k_current));

  asked.range = "bytes=0-";
  const auto table = std::vector<std::pair<std::string_view, bool>>{
      {"", true},
      {"\"abc\"", true},
      {"W/\"abc\"", false},
      {"\"x\"", false},
      {"abc", false},
      {"*", false},
      {"\"abc\", \"x\"", false},
      {k_same, true},
      {k_before, false},
      {k_after, false},
      {"\"abc", false},
      {"W/", false},
      {"\"", false},
      {"\"abc\" junk", false},
  };
  for (const auto& [value, applies] : table) {
    INFO(value);
    asked.if_range = value;
    CHECK(range_applies(asked, k_current) == applies);
  }
}

TEST_CASE("an ETag stands in quotes", "[conditional]") {
  CHECK(quoted_etag("abc") == "\"abc\"");
}
