// What happened since the start, by namespace. Counted by the Repository for
// every front end alike; read by stat and metrics. Counters only grow and are
// exact one by one, not as a set.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace larder {

struct Activity {
  using Counter = std::atomic<std::uint64_t>;

  Counter hits{0};
  Counter misses{0};
  Counter uploads{0};
  Counter duplicates{0};
  Counter rejects{0};
  Counter removals{0};
  Counter bytes_sent{0};
  Counter bytes_received{0};

  static void add(Counter& counter, std::uint64_t amount = 1) {
    counter.fetch_add(amount, std::memory_order_relaxed);
  }
  static std::uint64_t read(const Counter& counter) { return counter.load(std::memory_order_relaxed); }
};

}  // namespace larder
