// The groups of a plan in little memory: some hundred bytes a name beside the name itself,
// for there may be millions. Filled once, then sorted and read.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"
#include "common/digest.hpp"

namespace larder {

// Texts that stay where they are until all go.
class TextArena {
 public:
  const char* add(std::string_view text);  // ends with a NUL

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t left_ = 0;
  char* next_ = nullptr;
};

class PlanTable {
 public:
  struct Member {
    Digest digest;
    std::uint64_t size = 0;
    UnixSeconds stored = 0;
    // What the path has behind the group's, when `below` says so; otherwise all of it.
    const char* text = nullptr;
    bool is_suffix = false;
    bool is_sole = false;  // the planner's: the only name of its content
  };
  struct Group {
    const char* path = nullptr;
    UnixSeconds last_use = 0;
    std::uint64_t freed = 0;
    std::uint64_t first = 0;  // of its members
    std::uint32_t count = 0;
  };

  void add_group(std::string_view path, UnixSeconds last_use);
  // To the group added last.
  void add_member(std::string_view path, const Digest& digest, std::uint64_t size, UnixSeconds stored);

  std::deque<Group>& groups() { return groups_; }
  const std::deque<Group>& groups() const { return groups_; }
  Member& member(const Group& group, std::uint32_t number) { return members_[group.first + number]; }
  const Member& member(const Group& group, std::uint32_t number) const {
    return members_[group.first + number];
  }
  static std::string path_of(const Group& group, const Member& member) {
    return member.is_suffix ? std::string(group.path) + member.text : std::string(member.text);
  }

 private:
  TextArena texts_;
  std::deque<Group> groups_;  // grow without moving, which would need the double meanwhile
  std::deque<Member> members_;
};

}  // namespace larder
