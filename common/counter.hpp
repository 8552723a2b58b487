// A number that many threads add to and few read: each adds to a cache line that
// it shares with few others, so that counting costs next to nothing. Exact once
// the adding is over.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace larder {

class Counter {
 public:
  void add(std::uint64_t amount = 1) {
    parts_[own_part()].value.fetch_add(amount, std::memory_order_relaxed);
  }
  std::uint64_t read() const {
    std::uint64_t sum = 0;
    for (const Part& part : parts_) sum += part.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr std::size_t k_parts = 8;
  struct alignas(64) Part {
    std::atomic<std::uint64_t> value{0};
  };

  static std::size_t own_part() {
    static std::atomic<std::size_t> threads{0};
    thread_local const std::size_t k_own = threads.fetch_add(1, std::memory_order_relaxed) % k_parts;
    return k_own;
  }

  std::array<Part, k_parts> parts_;
};

}  // namespace larder
