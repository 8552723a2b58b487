#include "server/access/credentials.hpp"

#include "server/access/token.hpp"
#include "tests/support/catch.hpp"

using namespace larder;

TEST_CASE("Basic and Bearer credentials are read", "[access]") {
  const auto basic = parse_authorization("Basic Y2k6c2VjcmV0");
  REQUIRE(basic);
  CHECK(basic->user == "ci");
  CHECK(basic->secret == "secret");
  CHECK(parse_authorization("basic   Y2k6YTpi ")->secret == "a:b");  // only the first colon parts
  CHECK(parse_authorization("BASIC Og==")->user.empty());
  CHECK(parse_authorization("Basic Og")->secret.empty());  // some leave the padding away
  CHECK(parse_authorization("Basic 4oKsOuKCrA==")->secret == "€");
  const auto bearer = parse_authorization("Bearer larder_0");
  REQUIRE(bearer);
  CHECK(bearer->user.empty());
  CHECK(bearer->secret == "larder_0");
}

TEST_CASE("what is neither is refused", "[access]") {
  for (const std::string_view field : {"",
                                       " ",
                                       "Basic",
                                       "Basic ",
                                       "Bearer",
                                       "Bearer   ",
                                       "Digest username=\"a\"",
                                       "Negotiate YII=",
                                       "Basic Y2k=",            // no colon
                                       "Basic Y2k6c2Vjcm",      // cut: its last bits are no byte's
                                       "Basic Y2k6c2VjcmV0=x",  // something behind the padding
                                       "Basic Y2 k6c2VjcmV0",   // a blank within
                                       "Basic Y2k6c2Vj\ncmV0",  // a line feed
                                       "Basic Y2k6cwBj",        // NUL in the password
                                       "Basic AGNpOmE=",        // and in the name
                                       "Basic Y2k6Cg==",        // a line feed
                                       "Basic Y2k6____",        // the alphabet for URLs
                                       "BasicY2k6c2VjcmV0",
                                       "Bearer a b",
                                       "Bearer a, Bearer b",
                                       "Basic Og==, Basic Og=="}) {
    INFO(field);
    CHECK_FALSE(parse_authorization(field));
  }
  CHECK_FALSE(parse_authorization("Bearer " + std::string(3, '\1')));
}

TEST_CASE("credentials of 8 KiB are read or refused, and no more", "[access]") {
  CHECK(parse_authorization("Bearer " + std::string(8192, 'a'))->secret.size() == 8192);
  CHECK_FALSE(parse_authorization("Basic " + std::string(8193, 'A')));
  CHECK_FALSE(parse_authorization(std::string(8192, 'A')));
}

TEST_CASE("anonymous is nobody in any case", "[access]") {
  CHECK(is_anonymous_user("anonymous"));
  CHECK(is_anonymous_user("Anonymous"));
  CHECK(is_anonymous_user("FTP"));
  CHECK_FALSE(is_anonymous_user(""));
  CHECK_FALSE(is_anonymous_user("anonymous2"));
}

TEST_CASE("who shows a token is not anonymous, whatever the name", "[access]") {
  CHECK(is_anonymous(Credentials("anonymous", "me@home")));
  CHECK(is_anonymous(Credentials("FTP", "")));
  CHECK_FALSE(is_anonymous(Credentials("anonymous", make_token().text)));
  CHECK_FALSE(is_anonymous(Credentials("anna", "me@home")));
}
