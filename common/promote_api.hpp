// What is said of promoting a lane, as values and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace larder::api {

// POST: PromoteRules. Answer: PromoteEvent lines (ndjson), the last one with `done`.
inline constexpr std::string_view k_promote = "/-/v1/promote";

// All that are given have to hold for one member of a group (an archive with its .siginfo and .sig) for the
// group to be promoted, `uploaders` and `build` for all of it that the trusted namespace has not yet.
struct PromoteRules {
  std::string lane;                    // a namespace that overlays another
  std::vector<std::string> match;      // globs for the path below the lane
  std::vector<std::string> uploaders;  // as in means_actor()
  std::optional<std::int64_t> since;   // stored at that UnixSeconds or later
  std::string build;                   // what uploads said in Larder-Build
  bool apply = false;                  // otherwise it is only planned
  bool list = false;                   // an event for every name
  bool operator==(const PromoteRules&) const = default;
};
std::string to_json(const PromoteRules& rules);
Result<PromoteRules> promote_rules_from_json(std::string_view json);  // strict

struct PromoteEvent {
  // One name (rules.list; always what keeps its group back, with its reason):
  std::string path;     // NAMESPACE/PATH of the lane
  std::string outcome;  // new, replaces, present, conflict; held: of others than asked for, or in a group
                        // with such a one
  std::string reason;
  std::uint64_t size = 0;
  // Counts of names, now and then and at the end:
  std::uint64_t promoted = 0;   // to be, or done
  std::uint64_t bytes = 0;      // of those
  std::uint64_t present = 0;    // the trusted namespace has these bytes already
  std::uint64_t conflicts = 0;  // it has others, and keeps them
  std::uint64_t held = 0;       // not promoted for whose they are, or because of another one of their group
  std::string name_space;       // that they go to
  bool done = false;
};
std::string to_json(const PromoteEvent& event);
Result<PromoteEvent> promote_event_from_json(std::string_view json);

}  // namespace larder::api
