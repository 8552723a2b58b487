#include "server/store/plan_table.hpp"

#include <algorithm>

namespace larder {

const char* TextArena::add(std::string_view text) {
  constexpr std::size_t k_block = 256 << 10;  // bytes
  const std::size_t needed = text.size() + 1;
  if (needed > left_) {
    left_ = std::max(needed, k_block);
    blocks_.push_back(std::make_unique<char[]>(left_));
    next_ = blocks_.back().get();
  }
  char* const place = next_;
  std::copy(text.begin(), text.end(), place);
  place[text.size()] = '\0';
  next_ += needed;
  left_ -= needed;
  return place;
}

void PlanTable::add_group(std::string_view path, UnixSeconds last_use) {
  Group group;
  group.path = texts_.add(path);
  group.last_use = last_use;
  group.first = members_.size();
  groups_.push_back(group);
}

void PlanTable::add_member(std::string_view path, const Digest& digest, std::uint64_t size,
                           UnixSeconds stored) {
  Group& group = groups_.back();
  const std::string_view of_group = group.path;
  Member member;
  member.digest = digest;
  member.size = size;
  member.stored = stored;
  member.is_suffix = path.starts_with(of_group);
  member.text = texts_.add(member.is_suffix ? path.substr(of_group.size()) : path);
  members_.push_back(member);
  ++group.count;
}

}  // namespace larder
