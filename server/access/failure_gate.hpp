// How long an address waits after it has shown wrong credentials. Several people may stand
// behind one address: who shows right ones waits for nobody, and a build that shows the same wrong
// ones with each of a thousand requests is no guesser. Memory is bounded. Not thread-safe; no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace larder {

class FailureGate {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Delay = std::chrono::milliseconds;

  static constexpr Delay k_first{250};
  static constexpr Delay k_longest{8000};
  static constexpr std::chrono::minutes k_memory{10};  // a failure counts for so long after the last one
  static constexpr std::size_t k_most_addresses = 4096;
  static constexpr unsigned k_flood = 32;  // different wrong credentials

  // Wrong credentials, told apart by `fingerprint`: how long the refusal is held back. Twice as
  // long for each different one.
  Delay failed(std::string_view address, std::uint64_t fingerprint, Time now);
  // How long a password of this address waits before it is looked at at all: not, unless it floods.
  Delay before_check(std::string_view address, Time now);

  std::size_t addresses() const { return entries_.size(); }

 private:
  struct Entry {
    std::string place;
    unsigned failures = 0;
    std::uint64_t last = 0;  // fingerprint
    Time when;
  };
  using Entries = std::list<Entry>;  // the one that failed last in front

  Entry* find(const std::string& place, Time now);

  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_place_;
};

// What counts as one place: an IPv4 address, or the /64 of an IPv6 one.
std::string place_of_address(std::string_view address);

}  // namespace larder
