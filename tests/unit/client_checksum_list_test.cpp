#include "client/checksum_list.hpp"

#include "client/checkout.hpp"
#include "client/verify_against.hpp"
#include "common/hasher.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::client;

TEST_CASE("lines of sha256sum are read in all their forms", "[client][verify]") {
  const Digest digest = Hasher::of("x");
  const std::string hex = digest.hex();
  const auto parsed = parse_checksums("# made by hand\n" + hex + "  a b.tar\r\n\n" + hex + " *./dir/b.tar\n" +
                                      "SHA256 (c (1).tar) = " + hex + "\n\\" + hex + "  back\\\\slash\\n");
  REQUIRE(parsed);
  REQUIRE(parsed->size() == 4);
  CHECK((*parsed)[0] == Checksum{"a b.tar", digest});
  CHECK((*parsed)[1] == Checksum{"dir/b.tar", digest});
  CHECK((*parsed)[2] == Checksum{"c (1).tar", digest});
  CHECK((*parsed)[3] == Checksum{"back\\slash\n", digest});
  CHECK(parse_checksums("")->empty());
}

TEST_CASE("a line that is none is named", "[client][verify]") {
  const std::string hex = Hasher::of("x").hex();
  for (const std::string& line :
       {hex, hex + " a", hex + "  ", hex + "\ta", "0" + hex + "  a", hex.substr(1) + "  a",
        "SHA256 (a = " + hex, "MD5 (a) = " + hex, std::string("hello")}) {
    CAPTURE(line);
    const auto parsed = parse_checksums(hex + "  a\n" + line);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message().find("line 2 ") != std::string::npos);
  }
}

TEST_CASE("checksums are checked against names or their last components", "[client][verify]") {
  const std::vector<ListedFile> files = {{"a", Hasher::of("a"), 1}, {"pkg/b", Hasher::of("b"), 1}};
  const auto report = check_checksums(
      {{"a", Hasher::of("a")}, {"dl/a", Hasher::of("a")}, {"pkg/b", Hasher::of("x")}, {"b", Hasher::of("b")}},
      files);
  CHECK(report.matching == 2);
  CHECK(report.differing == std::vector<std::string>{"pkg/b"});
  CHECK(report.missing == std::vector<std::string>{"b"});
  CHECK_FALSE(report.is_well());
}

TEST_CASE("a snapshot's namespace is named as the server has it", "[client][checkout]") {
  CHECK(served_namespace("sstate-cache") == "sstate-cache");
  CHECK(served_namespace("sstate-cache@r1") == "@r1/sstate-cache");
  CHECK(served_namespace("@r1/sstate-cache") == "@r1/sstate-cache");
}

}  // namespace
