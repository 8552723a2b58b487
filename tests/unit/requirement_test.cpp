// Every route with every method: what it needs, in one table.
#include "server/http/requirement.hpp"

#include <map>

#include "server/access/permissions.hpp"
#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

namespace {

Need need(Method method, std::string_view raw) {
  const auto target = parse_target(raw);
  REQUIRE(target);
  return need_of(method, *target);
}

std::string shown(const Need& need) {
  const std::string text = describe(need);
  if (need.where == Need::Where::somewhere) return text + " somewhere";
  return text;
}

}  // namespace

TEST_CASE("each route needs one right", "[access]") {
  struct Row {
    const char* target;
    const char* get;
    const char* put;
    const char* post;
    const char* remove;
  };
  const Row rows[] = {
      {"/", "nothing", "nothing", "nothing", "nothing"},
      {"/a/b", "read in a", "write in a", "read in a", "delete in a"},
      {"/a/", "read in a", "write in a", "read in a", "delete in a"},
      {"/a/index.txt", "read in a", "write in a", "read in a", "delete in a"},
      {"/@s/a/b", "read in a", "write in a", "read in a", "delete in a"},
      {"/@s", "read somewhere", "read somewhere", "read somewhere", "read somewhere"},
      {"/-/health", "nothing", "nothing", "nothing", "nothing"},
      {"/-/metrics", "nothing", "nothing", "nothing", "nothing"},
      {"/-/v1/stat", "nothing", "nothing", "nothing", "nothing"},
      {"/-/v1/find-missing?namespace=a", "read in a", "read in a", "read in a", "read in a"},
      {"/-/v1/find-missing", "read somewhere", "read somewhere", "read somewhere", "read somewhere"},
      {"/-/v1/uploads?namespace=a", "write in a", "write in a", "write in a", "write in a"},
      {"/-/v1/uploads?namespace=@s/a", "write in a", "write in a", "write in a", "write in a"},
      {"/-/v1/uploads", "write somewhere", "write somewhere", "write somewhere", "write somewhere"},
      {"/-/v1/digests?namespace=a", "read in a", "read in a", "read in a", "read in a"},
      {"/-/v1/digests?namespace=@s/a", "read in a", "read in a", "read in a", "read in a"},
      {"/-/v1/log", "delete somewhere", "delete somewhere", "delete somewhere", "delete somewhere"},
      {"/-/v1/prune", "delete somewhere", "delete somewhere", "delete somewhere", "delete somewhere"},
      {"/-/v1/trash", "delete somewhere", "delete somewhere", "delete somewhere", "delete somewhere"},
      {"/-/v1/undo", "delete somewhere", "delete somewhere", "delete somewhere", "delete somewhere"},
      {"/-/v1/pins", "read somewhere", "delete somewhere", "delete somewhere", "delete somewhere"},
      {"/-/v1/snapshots", "read somewhere", "delete in all namespaces", "delete in all namespaces",
       "delete in all namespaces"},
      {"/-/v1/snapshots/restore", "delete in all namespaces", "delete in all namespaces",
       "delete in all namespaces", "delete in all namespaces"},
      {"/-/v1/promote", "write somewhere", "write somewhere", "write somewhere", "write somewhere"},
      {"/-/v1/adopt", "admin", "admin", "admin", "admin"},
      {"/-/v1/checkout", "admin", "admin", "admin", "admin"},
      {"/-/v1/verify", "admin", "admin", "admin", "admin"},
      {"/-/v1/tokens", "admin", "admin", "admin", "admin"},
      {"/-/v1/nothing", "read somewhere", "read somewhere", "read somewhere", "read somewhere"},
  };
  for (const Row& row : rows) {
    INFO(row.target);
    CHECK(shown(need(Method::get, row.target)) == row.get);
    CHECK(shown(need(Method::head, row.target)) == row.get);
    CHECK(shown(need(Method::put, row.target)) == row.put);
    CHECK(shown(need(Method::post, row.target)) == row.post);
    CHECK(shown(need(Method::delete_, row.target)) == row.remove);
    CHECK(shown(need(Method::options, row.target)) == "nothing");
  }
  CHECK(shown(need(Method::mkcol, "/a/b")) == "write in a");
  CHECK(shown(need(Method::propfind, "/a/b")) == "read in a");
  CHECK(shown(need(Method::other, "/a/b")) == "read in a");
}

TEST_CASE("each right opens what needs it, and nothing else", "[access]") {
  const std::map<Right, std::vector<std::string>> opens = {
      {Right::read,
       {"GET /a/b", "GET /@s/a/b", "GET /@s", "POST /-/v1/find-missing?namespace=a", "GET /-/v1/pins"}},
      {Right::write, {"PUT /a/b", "MKCOL /a/b", "POST /-/v1/promote"}},
      {Right::replace, {}},
      {Right::remove, {"DELETE /a/b", "POST /-/v1/prune", "GET /-/v1/log", "POST /-/v1/pins"}},
  };
  const std::map<std::string, Method> methods = {{"GET", Method::get},
                                                 {"PUT", Method::put},
                                                 {"POST", Method::post},
                                                 {"DELETE", Method::delete_},
                                                 {"MKCOL", Method::mkcol}};
  for (const auto& [right, unused] : opens) {
    Permissions permissions;
    permissions.grant({right}, *parse_namespaces("a"));
    for (const auto& [other, requests] : opens) {
      for (const std::string& each : requests) {
        INFO(name_of(right) << ": " << each);
        const auto blank = each.find(' ');
        const Need wanted = need(methods.at(each.substr(0, blank)), each.substr(blank + 1));
        CHECK(permissions.may(wanted) == (right == other));
      }
    }
    CHECK_FALSE(permissions.may(need(Method::get, "/c/d")));
    CHECK_FALSE(permissions.may(need(Method::post, "/-/v1/verify")));
    CHECK_FALSE(permissions.may(need(Method::post, "/-/v1/snapshots")));
    CHECK(permissions.may(need(Method::get, "/-/health")));
  }
}

TEST_CASE("only statistics and metrics are status", "[access]") {
  CHECK(is_status(*parse_target("/-/v1/stat")));
  CHECK(is_status(*parse_target("/-/metrics")));
  CHECK_FALSE(is_status(*parse_target("/-/health")));
  CHECK_FALSE(is_status(*parse_target("/a/-/metrics")));
}

TEST_CASE("a web page may look, and change nothing", "[access]") {
  const auto refused = [](Method method, const char* origin, const char* site) {
    Request request;
    request.method = method;
    request.origin = origin;
    request.sec_fetch_site = site;
    return is_change_by_web_page(request);
  };
  for (const Method method : {Method::put, Method::delete_, Method::post, Method::mkcol, Method::other}) {
    INFO(name_of(method));
    CHECK_FALSE(refused(method, "", ""));  // no browser
    CHECK_FALSE(refused(method, "", "none"));
    CHECK_FALSE(refused(method, "", "same-origin"));
    CHECK(refused(method, "", "same-site"));
    CHECK(refused(method, "", "cross-site"));
    CHECK(refused(method, "", "cross-site, none"));
    CHECK(refused(method, "null", ""));  // a sandboxed frame, a file
    CHECK(refused(method, "http://evil.example", "none"));
    CHECK(refused(method, "http://localhost:8480", "same-origin"));  // a page that somebody stored here
  }
  for (const Method method : {Method::get, Method::head, Method::options, Method::propfind})
    CHECK_FALSE(refused(method, "http://evil.example", "cross-site"));
}
