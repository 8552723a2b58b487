// One mutex for each of very many keys, approximately: keys share a fixed table.
// Two keys may meet in one mutex, so a thread holds either one lock of a table, or
// several that it took at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace larder {

template <typename Key>
class LockTable {
 public:
  using Locks = std::vector<std::unique_lock<std::mutex>>;

  [[nodiscard]] std::unique_lock<std::mutex> lock(const Key& key) {
    return std::unique_lock(mutexes_[place_of(key)]);
  }

  // Of all `keys` (pointers to them), each mutex once, in the order of the table: so nobody
  // waits for somebody who waits for him.
  template <typename Keys>
  [[nodiscard]] Locks lock_all(const Keys& keys) {
    std::vector<std::size_t> places;
    places.reserve(keys.size());
    for (const Key* key : keys) places.push_back(place_of(*key));
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    Locks locks;
    locks.reserve(places.size());
    for (const std::size_t place : places) locks.emplace_back(mutexes_[place]);
    return locks;
  }

 private:
  static constexpr std::size_t k_size = 4096;
  static std::size_t place_of(const Key& key) { return std::hash<Key>{}(key) % k_size; }

  std::unique_ptr<std::mutex[]> mutexes_ = std::make_unique<std::mutex[]>(k_size);
};

}  // namespace larder
