#include "server/http/digest_fields.hpp"

#include <string>
#include <vector>

#include "common/hasher.hpp"
#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

namespace {

const Digest k_digest = Hasher::of("");
const std::string k_hex = k_digest.hex();
const std::string k_base64 = k_digest.base64();
const std::string k_other = Hasher::of("other").base64();

// What one field declares: "none", "error", or a digest in hexadecimal.
std::string declared(std::string Request::*field, const std::string& value) {
  Request request;
  request.*field = value;
  const auto result = declared_digest(request);
  if (!result) return result.error().code() == Errc::invalid_argument ? "error" : "another error";
  return *result ? (*result)->hex() : "none";
}

}  // namespace

TEST_CASE("a request need not declare anything", "[digest_fields]") {
  const auto result = declared_digest(Request{});
  REQUIRE(result.ok());
  CHECK_FALSE(result->has_value());
}

TEST_CASE("Repr-Digest and Content-Digest are dictionaries of byte sequences", "[digest_fields]") {
  const std::string good = "sha-256=:" + k_base64 + ":";
  const std::string unpadded = k_base64.substr(0, 43);
  const auto table = std::vector<std::pair<std::string, std::string>>{
      {good, k_hex},
      {"sha-512=:YWJj:, " + good, k_hex},
      {good + ",sha-512=:YWJj:", k_hex},
      {good + ";a=1;b=\"x,y\"", k_hex},
      {"x=\"a, sha-256=:AAAA:\", " + good, k_hex},
      {"x=(\"a\" b, c), " + good, k_hex},
      {"x=\"a\\\"b\", " + good, k_hex},
      {"sha-256=:" + unpadded + ":", k_hex},
      {good + ", " + good, k_hex},
      {"sha-512=:YWJj:", "none"},
      {"sha-2567=:" + k_base64 + ":", "none"},
      {"SHA-256=:" + k_base64 + ":", "none"},  // keys are lower case (RFC 8941, section 3.2)
      {"", "none"},
      {"unixsum=30637", "none"},
      {"sha-256", "error"},
      {"sha-256=", "error"},
      {"sha-256=::", "error"},
      {"sha-256=:", "error"},
      {"sha-256=" + k_base64, "error"},
      {"sha-256=:" + k_base64, "error"},
      {"sha-256=\"" + k_base64 + "\"", "error"},
      {"sha-256=:" + k_hex + ":", "error"},
      {"sha-256=:AAAA:", "error"},
      {"sha-256= :" + k_base64 + ":", "error"},
      {good + ", sha-256=:" + k_other + ":", "error"},
      {"sha-256=:" + std::string(43, '=') + ":", "error"},
  };
  for (const auto& [value, expected] : table) {
    INFO(value);
    CHECK(declared(&Request::repr_digest, value) == expected);
    CHECK(declared(&Request::content_digest, value) == expected);
  }
}

TEST_CASE("the old Digest field is a list of algorithms without case", "[digest_fields]") {
  const auto table = std::vector<std::pair<std::string, std::string>>{
      {"SHA-256=" + k_base64, k_hex},
      {"sha-256=" + k_base64, k_hex},
      {"MD5=1B2M2Y8AsgTpgAmY7PhCfg==, Sha-256=" + k_base64, k_hex},
      {"SHA=x,SHA-256=" + k_base64 + " , UNIXsum=30637", k_hex},
      {"SHA-512=YWJj", "none"},
      {"id-sha-256=" + k_base64, "none"},
      {"", "none"},
      {",,", "none"},
      {"SHA-256", "error"},
      {"SHA-256=", "error"},
      {"SHA-256=" + k_hex, "error"},
      {"SHA-256=:" + k_base64 + ":", "error"},
      {"SHA-256=" + k_base64 + ",SHA-256=" + k_other, "error"},
  };
  for (const auto& [value, expected] : table) {
    INFO(value);
    CHECK(declared(&Request::digest, value) == expected);
  }
}

TEST_CASE("X-Checksum-Sha256 is hexadecimal", "[digest_fields]") {
  CHECK(declared(&Request::x_checksum_sha256, k_hex) == k_hex);
  CHECK(declared(&Request::x_checksum_sha256, "E3" + k_hex.substr(2)) == k_hex);
  for (const std::string& wrong :
       {k_base64, k_hex.substr(1), k_hex + "0", k_hex + ", " + k_hex, std::string("x")})
    CHECK(declared(&Request::x_checksum_sha256, wrong) == "error");
}

TEST_CASE("several declarations have to agree", "[digest_fields]") {
  Request request;
  request.repr_digest = "sha-256=:" + k_base64 + ":";
  request.content_digest = "sha-256=:" + k_base64 + ":";
  request.digest = "SHA-256=" + k_base64;
  request.x_checksum_sha256 = k_hex;
  REQUIRE(declared_digest(request).ok());
  CHECK(**declared_digest(request) == k_digest);

  for (const auto field : {&Request::repr_digest, &Request::content_digest}) {
    Request different = request;
    different.*field = "sha-256=:" + k_other + ":";
    CHECK_FALSE(declared_digest(different).ok());
  }
  request.digest = "SHA-256=" + k_other;
  REQUIRE_FALSE(declared_digest(request).ok());
  CHECK(declared_digest(request).error().code() == Errc::invalid_argument);
}
