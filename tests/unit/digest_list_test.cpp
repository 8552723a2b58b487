#include "common/digest_list.hpp"

#include "common/hasher.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace larder;

TEST_CASE("a digest line reads back", "[digest_list]") {
  std::string text;
  append_digest_line(text, "pkg/a b.tar", Hasher::of("x"), 1234);
  REQUIRE(text.ends_with("\n"));
  text.pop_back();
  CHECK(parse_digest_line(text) == ListedFile{"pkg/a b.tar", Hasher::of("x"), 1234});
}

TEST_CASE("what is no digest line is none", "[digest_list]") {
  const std::string hex = Hasher::of("x").hex();
  for (const std::string& line :
       {std::string(), std::string("a"), "a\t" + hex, "\t" + hex + "\t1", "a\t" + hex + "\t",
        "a\t" + hex + "\t1x", "a\t" + hex + "\t-1", std::string("a\tzz\t1"), "a\t" + hex + "0\t1",
        "a\t" + hex + "\t99999999999999999999"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_digest_line(line));
  }
}

}  // namespace
