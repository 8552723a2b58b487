#include "server/http/multistatus.hpp"

#include <string>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

namespace {

api::ListingEntry artifact(std::string name) {
  return {std::move(name), false, 1234, 784111777, "0123abcd"};
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size()))
    ++found;
  return found;
}

}  // namespace

TEST_CASE("a listing is one or two levels deep", "[multistatus]") {
  CHECK(parse_depth("0") == Depth::self);
  CHECK(parse_depth("1") == Depth::children);
  for (const std::string_view endless :
       {"", "infinity", "Infinity", "2", "-1", "01", "1,noroot", " 1", "one"})
    CHECK_FALSE(parse_depth(endless).has_value());
}

TEST_CASE("an artifact says what a client of WebDAV asks", "[multistatus]") {
  const std::string xml =
      render_multistatus("/sstate-cache/ab/", artifact("sstate:zlib::1.3+x_package.tar.zst"));
  CHECK(xml ==
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n"
        "<D:response><D:href>/sstate-cache/ab/sstate%3Azlib%3A%3A1.3%2Bx_package.tar.zst</D:href>"
        "<D:propstat><D:prop><D:resourcetype></D:resourcetype><D:getcontentlength>1234</D:getcontentlength>"
        "<D:getcontenttype>application/octet-stream</D:getcontenttype>"
        "<D:creationdate>1994-11-06T08:49:37Z</D:creationdate>"
        "<D:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</D:getlastmodified>"
        "<D:getetag>\"0123abcd\"</D:getetag></D:prop><D:status>HTTP/1.1 200 "
        "OK</D:status></D:propstat></D:response>\n"
        "</D:multistatus>\n");
}

TEST_CASE("a directory comes first, and then what is in it, if that was asked for", "[multistatus]") {
  api::Listing listing;
  listing.path = "/sstate-cache/ab/";
  listing.entries = {artifact("x"), {"cd", true, 0, 0, ""}};
  const std::string all = render_multistatus(listing, Depth::children);
  CHECK(count(all, "<D:response>") == 3);
  CHECK(count(all, "<D:collection/>") == 2);
  const auto self = all.find("<D:href>/sstate-cache/ab/</D:href>");
  CHECK(self != std::string::npos);
  CHECK(self < all.find("<D:href>/sstate-cache/ab/x</D:href>"));
  CHECK(all.find("<D:href>/sstate-cache/ab/cd/</D:href>") != std::string::npos);

  const std::string alone = render_multistatus(listing, Depth::self);
  CHECK(count(alone, "<D:response>") == 1);
  CHECK(count(alone, "/sstate-cache/ab/") == 1);
}

TEST_CASE("no name can end an element", "[multistatus]") {
  api::Listing listing;
  listing.path = "/a&b/";
  listing.entries = {artifact("<D:x>&\"']]>"), artifact("\xc3\xa9")};
  const std::string xml = render_multistatus(listing, Depth::children);
  CHECK(count(xml, "&") == 0);
  CHECK(count(xml, "<D:x>") == 0);
  CHECK(count(xml, "/a%26b/%3CD%3Ax%3E%26%22%27%5D%5D%3E<") == 1);
  CHECK(count(xml, "/a%26b/%C3%A9<") == 1);
}
