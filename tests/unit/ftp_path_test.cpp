#include "server/ftp/path.hpp"

#include "tests/support/catch.hpp"

using namespace larder::ftp;

TEST_CASE("FTP paths resolve from where the client is, and never above the root", "[ftp]") {
  struct Row {
    const char* directory;
    const char* named;
    const char* path;
  };
  const Row rows[] = {
      {"/", "", "/"},
      {"/", "/", "/"},
      {"/", "a", "/a"},
      {"/", "a/b", "/a/b"},
      {"/a", "b", "/a/b"},
      {"/a", "/b", "/b"},
      {"/a/b", "..", "/a"},
      {"/a/b", "../c", "/a/c"},
      {"/a", "../../../../etc/passwd", "/etc/passwd"},
      {"/", "..", "/"},
      {"/a", "./b/.", "/a/b"},
      {"/a", "b//c/", "/a/b/c"},
      {"/a", "/b/../c", "/c"},
      {"/a", "...", "/a/..."},
      {"/a", " b ", "/a/ b "},
      {"/a", "b%2Fc+d", "/a/b%2Fc+d"},  // nothing is decoded
  };
  for (const Row& row : rows) {
    INFO(row.directory << " " << row.named);
    CHECK(resolve(row.directory, row.named) == row.path);
  }
}

TEST_CASE("a place is the root, a namespace, below one, or nowhere", "[ftp]") {
  using Kind = Place::Kind;
  CHECK(place_of("/").kind == Kind::root);
  CHECK(place_of("/downloads").kind == Kind::name_space);
  CHECK(place_of("/downloads").name_space == "downloads");
  const Place below = place_of("/downloads/a/b c");
  CHECK(below.kind == Kind::below);
  CHECK(below.name_space == "downloads");
  CHECK(below.path == "a/b c");
  CHECK(below.key()->str() == "downloads/a/b c");
  CHECK(place_of("/@snapshot/downloads").kind == Kind::nowhere);
  CHECK(place_of("/-/health").kind == Kind::nowhere);
  CHECK(place_of("/Downloads").kind == Kind::nowhere);
  CHECK(place_of("/downloads/a\nb").kind == Kind::nowhere);
  CHECK(place_of("/downloads/" + std::string(256, 'x')).kind == Kind::nowhere);
  CHECK(place_of("/downloads/" + std::string(255, 'x')).kind == Kind::below);
  CHECK(place_of("/downloads/\xFF").kind == Kind::nowhere);
}

TEST_CASE("patterns match as shells match them", "[ftp]") {
  struct Row {
    const char* pattern;
    const char* name;
    bool matches;
  };
  const Row rows[] = {
      {"", "", true},           {"", "a", false},           {"a", "a", true},          {"a", "b", false},
      {"*", "", true},          {"*", "abc", true},         {"a*", "abc", true},       {"*c", "abc", true},
      {"a*c", "abc", true},     {"a*b", "abc", false},      {"?", "a", true},          {"?", "", false},
      {"a?c", "abc", true},     {"*.gz", "a.tar.gz", true}, {"*.gz", "a.gz.x", false}, {"**a**", "bab", true},
      {"*ab*ab", "abab", true}, {"*ab*ab*", "aab", false},  {"[a]", "a", false},       {"[a]", "[a]", true},
  };
  for (const Row& row : rows) {
    INFO(row.pattern << " " << row.name);
    CHECK(matches(row.pattern, row.name) == row.matches);
  }
  CHECK(is_pattern("a*"));
  CHECK_FALSE(is_pattern("a+[b]"));
}

TEST_CASE("a pattern made to take for ever does not", "[ftp]") {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  CHECK_FALSE(matches(pattern + "b", std::string(3000, 'a')));  // hours, with backtracking
}

TEST_CASE("a path has a parent and a last component", "[ftp]") {
  CHECK(parent_of("/a/b") == "/a");
  CHECK(parent_of("/a") == "/");
  CHECK(parent_of("/") == "/");
  CHECK(last_of("/a/b") == "b");
  CHECK(last_of("/") == "");
}
