#include "server/store/name_table.hpp"

#include <algorithm>
#include <utility>

namespace larder {
namespace {

constexpr std::size_t k_tail = 32;   // slots behind the last home
constexpr std::size_t k_first = 16;  // homes of the first table
constexpr NameHash k_empty;

// 0.85 of the homes: beyond that look-ups take noticeably more steps.
std::size_t most_for(std::size_t homes) {
  return homes - homes * 3 / 20;
}

// The one hash that means "empty" shares a place with its neighbour.
NameHash usable(const NameHash& hash) {
  return hash == k_empty ? NameHash{0, 1} : hash;
}

}  // namespace

std::size_t NameTable::home_of(const NameHash& hash) const {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((Wide{hash.high} * homes_) >> 64);
}

std::size_t NameTable::position_of(const NameHash& hash) const {
  std::size_t at = home_of(hash);
  while (slots_[at].hash != k_empty && slots_[at].hash < hash) ++at;
  return at;
}

const Entry* NameTable::find(const NameHash& hash) const {
  if (size_ == 0) return nullptr;
  const NameHash wanted = usable(hash);
  const Slot& slot = slots_[position_of(wanted)];
  return slot.hash == wanted ? &slot.entry : nullptr;
}

NameTable::Put NameTable::put(const NameHash& hash, const Entry& entry) {
  if (homes_ == 0) return Put::full;
  const NameHash wanted = usable(hash);
  const std::size_t at = position_of(wanted);
  if (slots_[at].hash == wanted) {
    slots_[at].entry = entry;
    return Put::done;
  }
  std::size_t gap = at;
  while (slots_[gap].hash != k_empty) ++gap;
  if (size_ >= most_for(homes_) || gap + 1 == slots_.size()) return Put::full;
  for (; gap > at; --gap) slots_[gap] = slots_[gap - 1];
  slots_[at] = {wanted, entry};
  ++size_;
  return Put::done;
}

void NameTable::erase(const NameHash& hash) {
  if (size_ == 0) return;
  const NameHash wanted = usable(hash);
  std::size_t at = position_of(wanted);
  if (slots_[at].hash != wanted) return;
  // Those behind it that are not at home move up.
  for (; slots_[at + 1].hash != k_empty && home_of(slots_[at + 1].hash) <= at; ++at)
    slots_[at] = slots_[at + 1];
  slots_[at] = Slot();
  --size_;
}

std::size_t NameTable::bytes_when_grown() const {
  return (std::max(k_first, homes_ + homes_ / 4) + k_tail) * sizeof(Slot);
}

void NameTable::grow() {
  resize(std::max(k_first, homes_ + homes_ / 4));
}

void NameTable::reserve(std::size_t names) {
  const std::size_t homes = names + names * 3 / 10;
  if (homes > homes_) resize(homes);
}

void NameTable::clear() {
  std::vector<Slot>().swap(slots_);
  homes_ = 0;
  size_ = 0;
}

void NameTable::resize(std::size_t homes) {
  std::vector<Slot> old(homes + k_tail);
  old.swap(slots_);
  homes_ = homes;
  std::size_t at = 0;  // in the order of the hashes: each goes home, or behind the one before it
  for (const Slot& slot : old) {
    if (slot.hash == k_empty) continue;
    at = std::max(at, home_of(slot.hash));
    if (at + 1 >= slots_.size()) slots_.emplace_back();
    slots_[at++] = slot;
  }
}

}  // namespace larder
