#include "server/http/target.hpp"

#include <string>
#include <vector>

#include "common/percent.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/dice.hpp"

using namespace larder;
using namespace larder::http;

namespace {

using Kind = Target::Kind;

Target target_of(std::string_view raw) {
  INFO(raw);
  const auto target = parse_target(raw);
  REQUIRE(target.ok());
  return *target;
}

// The code of the error, or of none.
std::string refusal_of(std::string_view raw) {
  const auto target = parse_target(raw);
  return target ? "" : std::string(name_of(target.error().code()));
}

}  // namespace

TEST_CASE("a target names a place", "[target]") {
  struct Case {
    std::string_view raw;
    Kind kind;
    std::string_view name_space;
    std::string_view path;
    bool trailing_slash;
  };
  const auto table = std::vector<Case>{
      {"/", Kind::root, "", "", true},
      {"/sstate-cache", Kind::listing, "sstate-cache", "", false},
      {"/sstate-cache/", Kind::listing, "sstate-cache", "", true},
      {"/sstate-cache/ab/", Kind::listing, "sstate-cache", "ab", true},
      {"/sstate-cache/ab/cd/", Kind::listing, "sstate-cache", "ab/cd", true},
      {"/sstate-cache/ab", Kind::artifact, "sstate-cache", "ab", false},
      {"/downloads/foo-1.0.tar.gz", Kind::artifact, "downloads", "foo-1.0.tar.gz", false},
      {"/downloads/index.txt", Kind::artifact, "downloads", "index.txt", false},
      {"/a/b/c/d", Kind::artifact, "a", "b/c/d", false},
      {"/-", Kind::admin, "", "/-", false},
      {"/-/", Kind::admin, "", "/-", true},
      {"/-/health", Kind::admin, "", "/-/health", false},
      {"/-/v1/stat", Kind::admin, "", "/-/v1/stat", false},
  };
  for (const auto& [raw, kind, name_space, path, trailing_slash] : table) {
    const Target target = target_of(raw);
    INFO(raw);
    CHECK(target.kind == kind);
    CHECK(target.name_space == name_space);
    CHECK(target.path == path);
    CHECK(target.trailing_slash == trailing_slash);
    CHECK(target.snapshot.empty());
    CHECK(target.query.empty());
  }
}

TEST_CASE("a path is decoded once, and a plus stays a plus", "[target]") {
  const auto path = [](std::string_view encoded) { return target_of("/n/" + std::string(encoded)).path; };
  CHECK(path("sstate%3Aa%2Bb%40c%20d~e_f.g-h") == "sstate:a+b@c d~e_f.g-h");
  CHECK(path("sstate:a+b@c~d") == "sstate:a+b@c~d");
  CHECK(path("a%252e%252e") == "a%2e%2e");
  CHECK(path("%41%5a%3f%23%25") == "AZ?#%");
  CHECK(path("%C3%A4\xC3\xB6") == "\xC3\xA4\xC3\xB6");
  CHECK(path("a\\b") == "a\\b");
  CHECK(path("...") == "...");
}

TEST_CASE("targets that can never be served are bad requests", "[target]") {
  const std::string component(255, 'x');
  CHECK(refusal_of("/n/" + component).empty());
  CHECK(refusal_of("/n/" + component + "x") == "invalid-name");
  CHECK(refusal_of("/n/%78" + component) == "invalid-name");

  const auto table = std::vector<std::string>{
      "",
      "*",
      "n",
      "http://host/n/a",
      "HTTP://host/",
      "host:80",
      "?",
      "//",
      "///",
      "/n//",
      "/n//a",
      "/n/a//",
      "//n/a",
      "/n/./a",
      "/n/../a",
      "/n/..",
      "/n/.",
      "/.",
      "/..",
      "/../etc/passwd",
      "/n/%2e%2e/a",
      "/n/%2E",
      "/n/.%2e/a",
      "/n/a%2fb",
      "/n/a%2Fb",
      "/n%2fa",
      "/n/%00",
      "/n/a%00b",
      "/n/a%0Ab",
      "/n/a%7fb",
      "/n/a%1f",
      "/n/%C2%85",
      "/n/%",
      "/n/%4",
      "/n/%4x",
      "/n/%x4",
      "/n/%%41",
      "/n/a%",
      "/n/%-1",
      "/n/% 1",
      "/n/%ff",
      "/n/\xff",
      "/n/%C3",
      "/n/%C0%AF",
      "/n/%ED%A0%80",
      "/n/a#b",
      "/#",
      "/n/a?b#c",
      "/-//",
      "/-/../n",
      "/@s//n",
      "/@s/../n",
  };
  for (const std::string& raw : table) {
    INFO(raw);
    CHECK(refusal_of(raw) == "invalid-name");
  }
}

TEST_CASE("a name no namespace can have is a miss, not a mistake", "[target]") {
  for (const std::string_view raw :
       {"/.well-known/security.txt", "/Sstate", "/_x", "/-x", "/--/a", "/a%20b/c", "/@", "/@/n", "/@-s/n",
        "/@s%20t/n", "/@s/N/a", "/@s/@t/a"}) {
    INFO(raw);
    CHECK(refusal_of(raw) == "not-found");
  }
}

TEST_CASE("a target may be 8 KiB, its path 3072 bytes", "[target]") {
  std::string path = "/n";
  while (path.size() < 3000) path += "/" + std::string(99, 'x');
  CHECK(refusal_of(path).empty());
  CHECK(refusal_of(path + "?" + std::string(k_max_target - path.size() - 1, 'q')).empty());
  CHECK(refusal_of(path + "?" + std::string(k_max_target - path.size(), 'q')) == "invalid-name");
  CHECK(refusal_of(path + path) == "invalid-name");
}

TEST_CASE("a snapshot stands before the namespace", "[target]") {
  const Target target = target_of("/@2026-11_A.b/sstate-cache/ab/x%2By");
  CHECK(target.kind == Kind::artifact);
  CHECK(target.snapshot == "2026-11_A.b");
  CHECK(target.name_space == "@2026-11_A.b/sstate-cache");
  CHECK(target.key()->is_frozen());
  CHECK(target.path == "ab/x+y");

  CHECK(target_of("/@s").kind == Kind::snapshot);
  CHECK(target_of("/@s").name_space.empty());
  CHECK(target_of("/@s/n/").kind == Kind::listing);
  CHECK(target_of("/@s/n/").name_space == "@s/n");
  CHECK(target_of("/@s/").trailing_slash);
  CHECK(target_of("/@s/n/").path.empty());
  CHECK(is_snapshot_name(std::string(64, 's')));
  CHECK_FALSE(is_snapshot_name(std::string(65, 's')));
  CHECK_FALSE(is_snapshot_name(".s"));
}

TEST_CASE("the query is split off and not decoded", "[target]") {
  CHECK(target_of("/n/a?since=4%200&x").query == "since=4%200&x");
  CHECK(target_of("/n/a?").query.empty());
  CHECK(target_of("/?a/../b").query == "a/../b");
  CHECK(target_of("/?a/../b").kind == Kind::root);
  CHECK(target_of("/n/a%3fb?c?d").query == "c?d");
  CHECK(target_of("/n/a%3fb?c?d").path == "a?b");
}

TEST_CASE("query values are found and decoded", "[target]") {
  CHECK(query_value("since=42", "since") == "42");
  CHECK(query_value("a=1&since=4+2%2B&since=5", "since") == "4 2+");
  CHECK(query_value("since", "since") == "");
  CHECK(query_value("since=", "since") == "");
  CHECK(query_value("s%69nce=1=2", "since") == "1=2");
  CHECK(query_value("x=%zz%4", "x") == "%zz%4");
  CHECK_FALSE(query_value("", "since").has_value());
  CHECK_FALSE(query_value("sinces=1&xsince=2&&", "since").has_value());
}

TEST_CASE("a path is encoded as Python's urllib.parse.quote does", "[percent]") {
  CHECK(percent_encode("ab/sstate:zlib+x@y z~_.-") == "ab/sstate%3Azlib%2Bx%40y%20z~_.-");
  CHECK(percent_encode("\xC3\xA4%?#\"<>\x7f") == "%C3%A4%25%3F%23%22%3C%3E%7F");
  CHECK(percent_encode("").empty());
}

TEST_CASE("what is encoded decodes to itself, and wrong escapes do not decode", "[percent]") {
  std::string every_byte;
  for (int c = 0; c < 256; ++c) every_byte.push_back(static_cast<char>(c));
  CHECK(percent_decode(percent_encode(every_byte)) == every_byte);
  for (const std::string_view wrong : {"%", "%4", "a%", "%4g", "%g4", "%%%"})
    CHECK_FALSE(percent_decode(wrong));
}

TEST_CASE("a target makes a key only when it names something", "[target]") {
  CHECK(target_of("/n/a/b").key()->str() == "n/a/b");
  CHECK_FALSE(target_of("/n/").key().ok());
  CHECK_FALSE(target_of("/").key().ok());
}

namespace {

// Whatever the short way takes is what the long way finds.
bool takes_short_way(std::string_view raw) {
  std::string room;
  const auto key = plain_artifact(raw, room);
  if (!key) return false;
  INFO(raw);
  const auto target = parse_target(raw);
  REQUIRE(target.ok());
  REQUIRE(target->kind == Kind::artifact);
  REQUIRE(target->query.empty());
  REQUIRE(target->snapshot.empty());
  REQUIRE(target->key().ok());
  REQUIRE(target->key()->str() == key->str());
  REQUIRE(target->name_space == key->name_space());
  REQUIRE(target->path == key->path());
  return true;
}

}  // namespace

TEST_CASE("the short way to an artifact's name agrees with the long one", "[target]") {
  for (const std::string_view plain :
       {"/sstate-cache/universal/ab/cd/sstate%3Azlib%3A%3A1%3Ar0%3A%3A14%3A0123_populate_sysroot.tar.zst",
        "/downloads/a", "/n/a+b c", "/n/%C3%A4", "/n/\xC3\xA4", "/n/index.txt"})
    CHECK(takes_short_way(plain));
  for (const std::string_view other :
       {"",           "/",       "//",       "n/a",      "/n",      "/n/",      "/n/a/",
        "/n//a",      "/n/a?",   "/n/a?x=1", "/n/a#b",   "/n/../a", "/n/.",     "/n/a%2Fb",
        "/n/a%00b",   "/n/a%2",  "/n/a%",    "/n/a%zz",  "/n/%FF",  "/n/a%0Ab", "/-/health",
        "/-/v1/stat", "/@s/n/a", "/N/a",     "/n/%C2%85"})
    CHECK_FALSE(takes_short_way(other));

  test::Dice dice(7);
  int taken = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string raw = "/n/";
    for (std::size_t length = 1 + dice.below(6); length > 0; --length)
      raw += dice.pick(std::vector<std::string>{"a", "bcd", ".", "/", "%41", "%2e", "%2F", "%", "-", "?", "#",
                                                "\xC3", "\xA4", "efghijklmn"});
    taken += takes_short_way(raw) ? 1 : 0;
  }
  CHECK(taken > 1000);
}
