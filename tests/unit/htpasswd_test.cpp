#include "server/access/htpasswd.hpp"

#include <crypt.h>

#include "tests/support/catch.hpp"

using namespace larder;

namespace {

std::string hashed(const std::string& password, const char* setting) {
  crypt_data work{};
  return ::crypt_r(password.c_str(), setting, &work);
}

}  // namespace

TEST_CASE("passwords of bcrypt and SHA-512-crypt are checked", "[access]") {
  for (const char* setting :
       {"$2y$04$abcdefghijklmnopqrstuu", "$2b$04$abcdefghijklmnopqrstuu", "$6$rounds=1000$salt"}) {
    INFO(setting);
    const std::string hash = hashed("correct horse", setting);
    const auto passwords = parse_htpasswd("# people\n\nanna:" + hash + "\r\nbob:" + hash + ":Bob Builder\n");
    REQUIRE(passwords);
    CHECK(passwords->at("anna") == hash);
    CHECK(passwords->at("bob") == hash);
    CHECK(is_password_of(hash, "correct horse"));
    CHECK_FALSE(is_password_of(hash, "correct horsf"));
    CHECK_FALSE(is_password_of(hash, ""));
  }
}

TEST_CASE("weak hashes are refused, and what to do is said", "[access]") {
  for (const char* hash :
       {"secret", "", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "$apr1$salt$0123456789abcdefghijkl",
        "$1$salt$0123456789abcdefghijkl", "abJnggxhB/yWI", "$5$salt$x", "$6$x", "$2y$05$short"}) {
    INFO(hash);
    const auto passwords = parse_htpasswd(std::string("# a\nanna:") + hash + "\n");
    REQUIRE_FALSE(passwords);
    CHECK(passwords.error().message().starts_with("line 2 (anna) "));
    // Never the hash, nor what was meant for one.
    if (*hash != '\0') CHECK(passwords.error().message().find(hash) == std::string::npos);
  }
}

TEST_CASE("lines that name nobody are refused", "[access]") {
  const std::string hash = hashed("x", "$6$rounds=1000$salt");
  CHECK_FALSE(parse_htpasswd("anna\n"));
  CHECK_FALSE(parse_htpasswd(":" + hash));
  CHECK_FALSE(parse_htpasswd("a b:" + hash));
  CHECK_FALSE(parse_htpasswd("anonymous:" + hash));
  CHECK_FALSE(parse_htpasswd("others:" + hash));
  CHECK_FALSE(parse_htpasswd("a:" + hash + "\na:" + hash));
  CHECK(parse_htpasswd("")->empty());
}

TEST_CASE("a hash that nothing can have matches nothing", "[access]") {
  CHECK_FALSE(is_password_of("*0", ""));
  CHECK_FALSE(is_password_of("", ""));
  CHECK_FALSE(is_password_of("x", "x"));
}
