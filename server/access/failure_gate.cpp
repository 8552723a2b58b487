#include "server/access/failure_gate.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace larder {

std::string place_of_address(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return text;
  constexpr std::size_t k_network = 8;  // bytes that a site is given; the rest it chooses
  return {reinterpret_cast<const char*>(bytes.data()), k_network};
}

FailureGate::Entry* FailureGate::find(const std::string& place, Time now) {
  const auto found = by_place_.find(place);
  if (found == by_place_.end()) return nullptr;
  if (now - found->second->when < k_memory) return &*found->second;
  entries_.erase(found->second);
  by_place_.erase(found);
  return nullptr;
}

FailureGate::Delay FailureGate::failed(std::string_view address, std::uint64_t fingerprint, Time now) {
  std::string place = place_of_address(address);
  Entry* entry = find(place, now);
  if (entry == nullptr) {
    if (entries_.size() >= k_most_addresses) {
      by_place_.erase(entries_.back().place);
      entries_.pop_back();
    }
    entries_.push_front(Entry{place, 0, 0, now});
    by_place_.emplace(std::move(place), entries_.begin());
    entry = &entries_.front();
  } else {
    entries_.splice(entries_.begin(), entries_, by_place_.at(place));
  }
  const bool again = entry->failures > 0 && entry->last == fingerprint;
  entry->last = fingerprint;
  entry->when = now;
  if (again) return k_first;
  constexpr unsigned k_most_doublings = 5;
  const unsigned doublings = std::min(entry->failures, k_most_doublings);
  entry->failures = std::min(entry->failures + 1, 2 * k_flood);
  return std::min(k_first * (1U << doublings), k_longest);
}

FailureGate::Delay FailureGate::before_check(std::string_view address, Time now) {
  const Entry* const entry = find(place_of_address(address), now);
  return entry == nullptr || entry->failures < k_flood ? Delay(0) : Delay(1000);
}

}  // namespace larder
