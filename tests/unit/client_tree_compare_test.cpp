#include "client/tree_compare.hpp"

#include <string>

#include "client/diff.hpp"
#include "client/tree_source.hpp"
#include "common/hasher.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::client;
using Catch::Matchers::Contains;

ListedFile file(const std::string& path, const std::string& content) {
  return {path, Hasher::of(content), content.size()};
}

TEST_CASE("equal trees, in whatever order, have no differences", "[client][diff]") {
  const auto comparison = compare_trees({file("b", "22"), file("a", "1")}, {file("a", "1"), file("b", "22")});
  CHECK(comparison.is_same());
  CHECK(comparison.same == 2);
  CHECK(comparison.same_bytes == 3);
  CHECK(compare_trees({}, {}).is_same());
}

TEST_CASE("names of one tree alone", "[client][diff]") {
  const auto comparison = compare_trees({file("a", "1"), file("c", "3")}, {file("b", "2"), file("d", "4")});
  CHECK(comparison.only_a == std::vector{file("a", "1"), file("c", "3")});
  CHECK(comparison.only_b == std::vector{file("b", "2"), file("d", "4")});
  CHECK(compare_trees({file("a", "1")}, {}).only_a.size() == 1);
  CHECK(compare_trees({}, {file("a", "1")}).only_b.size() == 1);
  CHECK_FALSE(comparison.is_same());
}

TEST_CASE("other content under one name", "[client][diff]") {
  const auto comparison = compare_trees({file("a", "1")}, {file("a", "23")});
  REQUIRE(comparison.differing.size() == 1);
  CHECK(comparison.differing[0] == DifferingFile{"a", Hasher::of("1"), Hasher::of("23"), 1, 2});
  CHECK(comparison.moved.empty());
}

TEST_CASE("one content under two names is moved, one to one", "[client][diff]") {
  const auto comparison =
      compare_trees({file("a1", "x"), file("a2", "x"), file("a3", "x")}, {file("b1", "x"), file("b2", "x")});
  REQUIRE(comparison.moved.size() == 2);
  CHECK(comparison.moved[0] == MovedFile{"a1", "b1", Hasher::of("x"), 1});
  CHECK(comparison.moved[1].path_b == "b2");
  CHECK(comparison.only_a == std::vector{file("a3", "x")});
  CHECK(comparison.only_b.empty());
}

TEST_CASE("a copy of what both have is missing, not moved", "[client][diff]") {
  const auto comparison = compare_trees({file("a", "x"), file("copy", "x")}, {file("a", "x")});
  CHECK(comparison.moved.empty());
  CHECK(comparison.only_a == std::vector{file("copy", "x")});
}

TEST_CASE("swapped contents differ", "[client][diff]") {
  const auto comparison = compare_trees({file("a", "1"), file("b", "2")}, {file("a", "2"), file("b", "1")});
  CHECK(comparison.differing.size() == 2);
  CHECK(comparison.moved.empty());
}

TEST_CASE("bare names that a server has of a directory's downloads are no difference", "[client][diff]") {
  const std::vector served = {file("zlib/zlib.tar", "z"), file("zlib.tar", "z"), file("gcc.tar", "other")};
  std::vector here = {file("zlib/zlib.tar", "z"), file("gcc/gcc.tar", "g"), file("top", "t")};
  add_published_names(NamespaceKind::downloads, here, served);
  const auto comparison = compare_trees(here, served);
  CHECK(comparison.same == 2);
  CHECK(comparison.only_a == std::vector{file("gcc/gcc.tar", "g"), file("top", "t")});
  CHECK(comparison.only_b == std::vector{file("gcc.tar", "other")});
  std::vector generic = {file("zlib/zlib.tar", "z")};
  add_published_names(NamespaceKind::generic, generic, served);
  CHECK(generic.size() == 1);
}

TEST_CASE("what people and programs read of a comparison", "[client][diff]") {
  const auto comparison = compare_trees({file("only\x1b", "12345"), file("d", "1"), file("old", "m")},
                                        {file("d", "22"), file("new", "m")});
  const std::string lines = diff_lines(comparison);
  CHECK_THAT(lines, Contains("only A        5 B  only?\n"));
  CHECK_THAT(lines, Contains("differs       1 B  d  (B: 2 B)\n"));
  CHECK_THAT(lines, Contains("moved         1 B  old -> new\n"));
  CHECK_THAT(diff_summary(comparison, "x", "y"), Contains("only in A           1  5 B"));
  const std::string json = diff_json(comparison, "x", "y", Lists::included);
  CHECK_THAT(json, Contains(R"("moved":{"names":1,"bytes":1})"));
  CHECK_THAT(json, Contains(R"("path_b":"new")"));
  CHECK_THAT(diff_json(comparison, "x", "y", Lists::left_out), !Contains("path_b"));
}

TEST_CASE("sides of a comparison", "[client][diff]") {
  const ServerUrl server = *parse_server_url("http://here:8480");
  const auto space = parse_tree_source("sstate-cache", server);
  REQUIRE(space);
  CHECK_FALSE(space->is_directory());
  CHECK(space->name_space == "sstate-cache");
  CHECK(space->label == "http://here:8480/sstate-cache");
  CHECK(parse_tree_source("@r1/sstate-cache", server)->name_space == "@r1/sstate-cache");
  for (const char* directory : {".", "..", "./x", "/srv/x", "build/sstate-cache", "x/"}) {
    CAPTURE(directory);
    CHECK(parse_tree_source(directory, server)->directory == directory);
  }
  const auto other = parse_tree_source("https://ci:pw@there/prefix/downloads/", server);
  REQUIRE(other);
  CHECK(other->server.base == "https://there/prefix");
  CHECK(other->server.user == "ci");
  CHECK(other->label == "https://there/prefix/downloads");
  CHECK(parse_tree_source("http://there:1/@r1/downloads", server)->name_space == "@r1/downloads");
  CHECK(parse_tree_source("http://there:1/@r1/downloads", server)->server.base == "http://there:1");
  for (const char* wrong : {"", "http://there", "http://there:8480/", "ftp://there/x", "http:///x"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_tree_source(wrong, server));
  }
}

}  // namespace
