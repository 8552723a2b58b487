// What all conversations about hash equivalence share: the database, figures, and how much of the memory is
// taken.
#pragma once

#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "common/clock.hpp"
#include "server/store/hash_equivalence.hpp"

namespace larder::hashequiv {

// How long requests took. Thread-safe.
class Statistics {
 public:
  void add(std::chrono::steady_clock::duration took);
  boost::json::value told() const;  // what get-stats answers
  boost::json::value start_anew();  // and reset-stats
  std::uint64_t ever() const;       // requests, whether or not they were counted anew

 private:
  boost::json::value told_locked() const;

  mutable std::mutex mutex_;
  std::uint64_t ever_ = 0;
  std::uint64_t number_ = 0;
  double total_ = 0;  // seconds, as all of these
  double longest_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // summed squares of the distance from the mean
};

// Room for messages that are not complete, for all peers of a kind: a quarter of it for one address.
// Thread-safe.
class Room {
 public:
  explicit Room(std::uint64_t bytes) : bytes_(bytes) {}
  bool take(const std::string& peer, std::size_t bytes);  // false: there is not as much, and none is taken
  void give_back(const std::string& peer, std::size_t bytes);
  std::uint64_t taken() const;

 private:
  const std::uint64_t bytes_;
  mutable std::mutex mutex_;
  std::uint64_t taken_ = 0;
  std::map<std::string, std::uint64_t> by_peer_;
};

// What all conversations share.
struct Shared {
  Shared(HashEquivalence& store, const Clock& time) : known(store), clock(time) {}
  HashEquivalence& known;
  const Clock& clock;
  Statistics statistics;
  Room of_writers{256 << 20};
  Room of_others{128 << 20};                 // nothing of what they tell is kept
  std::atomic<std::uint64_t> sending{0};     // bytes of answers that are on their way
  std::atomic<bool> full{false};             // the last report found no room on the disk
  std::atomic<std::uint64_t> unkept{0};      // reports
  std::atomic<UnixSeconds> next_warning{0};  // of reports that are not kept for want of a right
};

}  // namespace larder::hashequiv
