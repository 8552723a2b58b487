#include "common/hasher.hpp"

#include <string>
#include <utility>

#include "tests/support/catch.hpp"

using namespace larder;

TEST_CASE("SHA-256 is that of FIPS 180-4", "[hasher]") {
  CHECK(Hasher::of("").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Hasher::of("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Hasher::of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hex() ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(Hasher::of(std::string(1'000'000, 'a')).hex() ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("bytes may come in any pieces", "[hasher]") {
  const std::string text(1000, 'x');
  for (std::size_t cut = 1; cut < 130; ++cut) {
    Hasher hasher;
    for (std::size_t at = 0; at < text.size(); at += cut)
      hasher.update(std::string_view(text).substr(at, cut));
    CHECK(hasher.finish() == Hasher::of(text));
  }
}

TEST_CASE("a finished hasher starts over", "[hasher]") {
  Hasher hasher;
  hasher.update("first");
  CHECK(hasher.finish() == Hasher::of("first"));
  CHECK(hasher.finish() == Hasher::of(""));
  hasher.update("second");
  CHECK(hasher.finish() == Hasher::of("second"));
}

TEST_CASE("a hasher that moves takes its state along", "[hasher]") {
  Hasher first;
  first.update("one ");
  Hasher second = std::move(first);
  second.update("two");
  CHECK(second.finish() == Hasher::of("one two"));
}
