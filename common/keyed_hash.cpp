#include "common/keyed_hash.hpp"

#include <sys/random.h>

#include <bit>
#include <cstring>
#include <random>

namespace larder {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie");

class State {
 public:
  explicit State(const KeyedHash::Key& key)
      : v0_(key[0] ^ 0x736f6d6570736575U),
        v1_(key[1] ^ 0x646f72616e646f6dU ^ 0xee),  // 0xee: the long output is asked for
        v2_(key[0] ^ 0x6c7967656e657261U),
        v3_(key[1] ^ 0x7465646279746573U) {}

  void take(std::uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }

  NameHash finish() {
    NameHash hash;
    v2_ ^= 0xee;
    hash.low = four_rounds();
    v1_ ^= 0xdd;
    hash.high = four_rounds();
    return hash;
  }

 private:
  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t four_rounds() {
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

  std::uint64_t v0_, v1_, v2_, v3_;
};

}  // namespace

KeyedHash KeyedHash::with_random_key() {
  Key key{};
  if (::getrandom(key.data(), sizeof key, 0) == static_cast<ssize_t>(sizeof key)) return KeyedHash(key);
  std::random_device device;  // a sandbox without the system call
  for (std::uint64_t& word : key) word = (std::uint64_t{device()} << 32) | device();
  return KeyedHash(key);
}

NameHash KeyedHash::operator()(std::string_view text) const {
  State state(key_);
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    state.take(word);
  }
  std::uint64_t last = std::uint64_t{text.size()} << 56;
  for (std::size_t i = 0; i < left; ++i) last |= std::uint64_t{static_cast<std::uint8_t>(at[i])} << (8 * i);
  state.take(last);
  return state.finish();
}

}  // namespace larder
