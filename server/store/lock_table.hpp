// One mutex for each of very many keys, approximately: keys share a fixed table.
// Two keys may meet in one mutex, so a thread holds at most one lock of a table.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

namespace larder {

template <typename Key>
class LockTable {
 public:
  [[nodiscard]] std::unique_lock<std::mutex> lock(const Key& key) {
    return std::unique_lock(mutexes_[std::hash<Key>{}(key) % k_size]);
  }

 private:
  static constexpr std::size_t k_size = 4096;
  std::unique_ptr<std::mutex[]> mutexes_ = std::make_unique<std::mutex[]>(k_size);
};

}  // namespace larder
