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
  CHECK(place_of("/@release").kind == Kind::snapshot);
  CHECK(place_of("/@release/downloads").kind == Kind::name_space);
  CHECK(place_of("/@release/downloads").name_space == "@release/downloads");
  CHECK(place_of("/@release/downloads/a/b").key()->str() == "@release/downloads/a/b");
  CHECK(place_of("/@/downloads").kind == Kind::nowhere);
  CHECK(place_of("/@release/Downloads").kind == Kind::nowhere);
  CHECK(place_of("/-/health").kind == Kind::nowhere);
  CHECK(place_of("/Downloads").kind == Kind::nowhere);
  CHECK(place_of("/downloads/a\nb").kind == Kind::nowhere);
  CHECK(place_of("/downloads/" + std::string(256, 'x')).kind == Kind::nowhere);
  CHECK(place_of("/downloads/" + std::string(255, 'x')).kind == Kind::below);
  CHECK(place_of("/downloads/\xFF").kind == Kind::nowhere);
}

TEST_CASE("a path has a parent and a last component", "[ftp]") {
  CHECK(parent_of("/a/b") == "/a");
  CHECK(parent_of("/a") == "/");
  CHECK(parent_of("/") == "/");
  CHECK(last_of("/a/b") == "b");
  CHECK(last_of("/") == "");
}
