// Small files that go to the server together, in one request. Plain values; asks nobody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/seed_plan.hpp"
#include "client/server_connection.hpp"
#include "client/steady_read.hpp"

namespace larder::client {

class SeedBatch {
 public:
  // One name of a file.
  struct Item {
    const PlannedFile* file = nullptr;
    const PlannedName* name = nullptr;
    Content content;
  };

  // A request stays below the megabyte that reverse proxies let through unasked.
  static constexpr std::size_t k_most_bytes = 900'000;
  static constexpr std::uint64_t k_small = 64 << 10;  // bytes; larger files go on their own

  // Whether `file`, by the size it had when it was found, goes with others at all.
  static bool takes(const PlannedFile& file);

  bool is_empty() const { return items_.empty(); }
  bool has_room_for(const PlannedFile& file) const;
  // All names of `file` that the server misses.
  void add(const PlannedFile& file, const Content& content, std::string_view bytes);
  void clear();

  const std::vector<Item>& items() const { return items_; }
  Request request(const std::string& name_space, const std::string& build) const;

  // What a PUT of each item would have been answered, in their order; nothing when `body` is no such answer.
  std::optional<std::vector<Answer>> answers(std::string_view body) const;

 private:
  std::vector<Item> items_;
  std::string body_;
};

}  // namespace larder::client
