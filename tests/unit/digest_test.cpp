#include "common/digest.hpp"

#include <string>
#include <unordered_set>

#include "common/hasher.hpp"
#include "tests/support/catch.hpp"

using namespace larder;

namespace {

// SHA-256 of no bytes at all.
constexpr std::string_view k_empty_hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view k_empty_base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

}  // namespace

TEST_CASE("a digest reads back what it writes", "[digest]") {
  const Digest digest = Hasher::of("larder");
  CHECK(Digest::from_hex(digest.hex()) == digest);
  CHECK(Digest::from_base64(digest.base64()) == digest);
  CHECK(Digest::from_bytes(digest.raw()) == digest);
  CHECK(Digest(digest.bytes()) == digest);
}

TEST_CASE("hexadecimal and base64 are two spellings of the same bytes", "[digest]") {
  CHECK(Digest::from_hex(k_empty_hex) == Digest::from_base64(k_empty_base64));
  CHECK(Digest::from_base64(k_empty_base64)->hex() == k_empty_hex);
  CHECK(Digest::from_hex(k_empty_hex)->base64() == k_empty_base64);
}

TEST_CASE("hexadecimal digits have no case on the way in, and lower case on the way out", "[digest]") {
  std::string upper(k_empty_hex);
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  REQUIRE(Digest::from_hex(upper).has_value());
  CHECK(Digest::from_hex(upper)->hex() == k_empty_hex);
}

TEST_CASE("64 digits are a digest, and nothing else is", "[digest]") {
  const std::string hex(k_empty_hex);
  CHECK_FALSE(Digest::from_hex(""));
  CHECK_FALSE(Digest::from_hex(hex.substr(1)));
  CHECK_FALSE(Digest::from_hex(hex + "0"));
  for (const char wrong : {'g', ' ', '-', '/', ':', '@', '`', 'G'}) {
    std::string text = hex;
    text[63] = wrong;
    CHECK_FALSE(Digest::from_hex(text));
    text = hex;
    text[0] = wrong;
    CHECK_FALSE(Digest::from_hex(text));
  }
}

TEST_CASE("only base64 of 32 bytes, spelled the one right way, is a digest", "[digest]") {
  const std::string base64(k_empty_base64);
  CHECK_FALSE(Digest::from_base64(""));
  CHECK_FALSE(Digest::from_base64(base64.substr(0, 43)));
  CHECK_FALSE(Digest::from_base64(base64 + "="));
  CHECK_FALSE(Digest::from_base64(base64.substr(0, 42) + "=="));
  CHECK_FALSE(Digest::from_base64(base64.substr(0, 43) + "A"));
  CHECK_FALSE(Digest::from_base64(" " + base64.substr(1)));
  CHECK_FALSE(Digest::from_base64("=" + base64.substr(1)));
  CHECK_FALSE(Digest::from_base64("-" + base64.substr(1)));
  // The last digit carries four bits; the two behind them have to be zero.
  CHECK_FALSE(Digest::from_base64(base64.substr(0, 42) + "V="));
}

TEST_CASE("digests of exactly 32 raw bytes", "[digest]") {
  CHECK(Digest::from_bytes(std::string(32, '\xff')).has_value());
  CHECK_FALSE(Digest::from_bytes(std::string(31, 'x')));
  CHECK_FALSE(Digest::from_bytes(std::string(33, 'x')));
}

TEST_CASE("digests sort and hash by their bytes", "[digest]") {
  CHECK(*Digest::from_bytes(std::string(32, 'a')) < *Digest::from_bytes(std::string(32, 'b')));
  CHECK(*Digest::from_bytes(std::string(32, '\x7f')) < *Digest::from_bytes(std::string(32, '\x80')));
  CHECK(Digest() == *Digest::from_bytes(std::string(32, '\0')));
  std::unordered_set<Digest> set{Hasher::of("a"), Hasher::of("b"), Hasher::of("a")};
  CHECK(set.size() == 2);
}
