#include "common/keyed_hash.hpp"

#include <string>

#include "tests/support/catch.hpp"

using namespace larder;

namespace {

std::string counting(std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text.push_back(static_cast<char>(i));
  return text;
}

}  // namespace

// The published vectors of SipHash-2-4 with 128 bits: key 00 01 … 0f, input 00 01 … of growing length.
TEST_CASE("the keyed hash is SipHash-2-4-128", "[hash]") {
  const KeyedHash hash({0x0706050403020100U, 0x0f0e0d0c0b0a0908U});
  CHECK(hash("") == NameHash{0x930255c71472f66dU, 0xe6a825ba047f81a3U});
  CHECK(hash(counting(1)) == NameHash{0x45fc229b11597634U, 0x44af996bd8c187daU});
  CHECK(hash(counting(2)) == NameHash{0xe4ff0af6de8ba3fcU, 0xc75da4a48d227781U});
}

TEST_CASE("another key is another hash", "[hash]") {
  const KeyedHash one = KeyedHash::with_random_key();
  const KeyedHash other = KeyedHash::with_random_key();
  CHECK(one("sstate-cache/a") == one("sstate-cache/a"));
  CHECK(one("sstate-cache/a") != other("sstate-cache/a"));
}
