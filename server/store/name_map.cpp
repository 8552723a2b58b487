#include "server/store/name_map.hpp"

#include <algorithm>

namespace larder {

NameMap::NameMap() : parts_(std::make_unique<Part[]>(k_parts)) {}
NameMap::~NameMap() = default;

// By the low half: within a part the high half decides.
NameMap::Part& NameMap::part_of(const NameHash& hash) const {
  return parts_[hash.low % k_parts];
}

Found NameMap::find(const NameHash& hash, Entry& entry) const {
  const Part& part = part_of(hash);
  const std::lock_guard lock(part.mutex);
  if (part.phase != Phase::complete) return Found::unknown;
  const Entry* const found = part.names.find(hash);
  if (found == nullptr) return Found::miss;
  entry = *found;
  return Found::hit;
}

// False: over the limit, and this part answers nobody any more.
bool NameMap::put_locked(Part& part, const NameHash& hash, const Entry& entry) {
  while (part.names.put(hash, entry) == NameTable::Put::full) {
    const std::size_t before = part.names.bytes();
    if (bytes_ + part.names.bytes_when_grown() - before > limit_) {
      part.phase = Phase::off;
      return false;
    }
    part.names.grow();
    bytes_ += part.names.bytes() - before;
  }
  return true;
}

void NameMap::put(const NameHash& hash, const Entry& entry) {
  Part& part = part_of(hash);
  {
    const std::lock_guard lock(part.mutex);
    if (part.phase == Phase::off) return;
    std::erase(part.erased, hash);
    if (put_locked(part, hash, entry)) return;
  }
  give_up();
}

void NameMap::erase(const NameHash& hash) {
  Part& part = part_of(hash);
  const std::lock_guard lock(part.mutex);
  if (part.phase == Phase::off) return;
  part.names.erase(hash);
  if (part.phase == Phase::filling) part.erased.push_back(hash);
}

void NameMap::begin(ByteSize limit, std::uint64_t expected_names) {
  limit_ = limit.bytes;
  phase_ = Phase::filling;
  const std::uint64_t names_a_part = expected_names / k_parts;
  for (std::size_t i = 0; i < k_parts; ++i) {
    Part& part = parts_[i];
    const std::lock_guard lock(part.mutex);
    part.phase = Phase::filling;
    if (expected_names > limit_ / sizeof(Entry)) continue;  // they will not fit; learn() finds out
    const std::size_t before = part.names.bytes();
    part.names.reserve(names_a_part);
    bytes_ += part.names.bytes() - before;
  }
}

bool NameMap::learn(const NameHash& hash, const Entry& entry) {
  Part& part = part_of(hash);
  {
    const std::lock_guard lock(part.mutex);
    if (part.phase != Phase::filling) return false;
    const bool heard_of = part.names.find(hash) != nullptr ||
                          std::find(part.erased.begin(), part.erased.end(), hash) != part.erased.end();
    if (heard_of) return true;
    if (put_locked(part, hash, entry)) return true;
  }
  give_up();
  return false;
}

void NameMap::complete() {
  Phase filling = Phase::filling;
  if (!phase_.compare_exchange_strong(filling, Phase::complete)) return;
  for (std::size_t i = 0; i < k_parts; ++i) {
    Part& part = parts_[i];
    const std::lock_guard lock(part.mutex);
    std::vector<NameHash>().swap(part.erased);
    if (part.phase == Phase::filling && phase_ == Phase::complete) part.phase = Phase::complete;
  }
}

void NameMap::give_up() {
  phase_ = Phase::off;
  for (std::size_t i = 0; i < k_parts; ++i) {
    Part& part = parts_[i];
    const std::lock_guard lock(part.mutex);
    part.phase = Phase::off;
    part.names.clear();
    std::vector<NameHash>().swap(part.erased);
  }
  bytes_ = 0;
}

bool NameMap::is_complete() const {
  return phase_ == Phase::complete;
}

}  // namespace larder
