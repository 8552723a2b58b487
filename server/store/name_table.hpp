// An ordered hash table of one cache line a name: hash, digest, size, time. It is
// kept in the order of the hashes, which are uniformly distributed, with gaps: a
// look-up begins where the hash should be and ends at the first greater one, so
// that what is not there is found out as fast as what is. It grows by a quarter at
// a time, and so takes 75 to 95 bytes a name at any size, where a table that
// doubles takes up to 130. Not thread-safe; NameMap is.
#pragma once

#include <cstddef>
#include <vector>

#include "common/keyed_hash.hpp"
#include "server/store/entry.hpp"

namespace larder {

class NameTable {
 public:
  // Null when it is not there; valid until the next change.
  const Entry* find(const NameHash& hash) const;
  enum class Put { done, full };  // full: grow() first
  Put put(const NameHash& hash, const Entry& entry);
  void erase(const NameHash& hash);

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return slots_.size() * sizeof(Slot); }
  std::size_t bytes_when_grown() const;
  void grow();
  void reserve(std::size_t names);
  void clear();  // gives its memory back

 private:
  struct Slot {
    NameHash hash;  // 0: empty
    Entry entry;
  };
  static_assert(sizeof(Slot) == 64);

  std::size_t home_of(const NameHash& hash) const;
  std::size_t position_of(const NameHash& hash) const;  // of it, or where it would be put
  void resize(std::size_t homes);

  std::vector<Slot> slots_;  // homes_, then room for what is displaced at the end; the last stays empty
  std::size_t homes_ = 0;
  std::size_t size_ = 0;
};

}  // namespace larder
