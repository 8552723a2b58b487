// A keyed 128-bit hash of names: SipHash-2-4 with the long output, as its
// authors describe it (Aumasson and Bernstein, "SipHash: a fast short-input PRF").
// Who does not know the key can neither find two names with one hash nor steer
// names into one corner of a table, so a table may keep the hash in place of the
// name: with ten million names, chance makes a pair of them once in 10^24 tables.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string_view>

namespace larder {

struct NameHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const NameHash&) const = default;
};

class KeyedHash {
 public:
  using Key = std::array<std::uint64_t, 2>;

  explicit KeyedHash(const Key& key) : key_(key) {}
  static KeyedHash with_random_key();  // of this process, for as long as it runs

  NameHash operator()(std::string_view text) const;

 private:
  Key key_;
};

}  // namespace larder
