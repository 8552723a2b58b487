// What tests of the scrub begin with, and how they read what it found.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "server/store/layout.hpp"
#include "server/store/scrub.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

namespace larder::scrubbing {

inline const std::string k_name = "sstate-cache/ab/cd/sstate:x.siginfo";
inline const std::string k_other = "sstate-cache/ab/cd/sstate:y.siginfo";

struct Findings {
  std::vector<api::VerifyEvent> defects;
  api::VerifyEvent last;

  bool sound() const { return defects.empty() && last.defects == 0; }
  // How often: "corrupt", "corrupt sstate-cache/a".
  std::size_t count(const std::string& defect, const std::string& path = "") const {
    std::size_t found = 0;
    for (const api::VerifyEvent& each : defects)
      found += each.defect == defect && (path.empty() || each.path == path) ? 1 : 0;
    return found;
  }
};

inline std::string text_of(const Findings& found) {
  std::string text;
  for (const api::VerifyEvent& each : found.defects)
    text += each.defect + " " + each.path + ": " + each.detail + " -> " + each.action + "\n";
  return text;
}

inline Result<Findings> scrub_with(StoreBench& bench, const ScrubOptions& options) {
  Findings found;
  LARDER_TRY_ASSIGN(const auto turn, bench.store->enter_scrub(ScrubState::Who::person));
  const auto collect = [&](const api::VerifyEvent& event) {
    if (!event.defect.empty()) found.defects.push_back(event);
  };
  LARDER_TRY_ASSIGN(found.last, bench.store->scrub(options, turn, collect, {}));
  return found;
}

inline Findings scrub(StoreBench& bench, ScrubLevel level = ScrubLevel::full, bool repair = false) {
  ScrubOptions options;
  options.level = level;
  options.repair = repair;
  auto found = scrub_with(bench, options);
  REQUIRE(found);
  CHECK(found->last.done);
  CHECK(found->last.complete);
  return *found;
}

inline Findings repair(StoreBench& bench) {
  return scrub(bench, ScrubLevel::full, true);
}

inline std::string object_of(const std::string& content) {
  return layout::object_path(Hasher::of(content), 0);
}

inline std::vector<std::string> quarantined(const StoreBench& bench) {
  std::vector<std::string> names;
  for (const std::string& file : bench.memory.files()) {
    if (!file.starts_with("quarantine/")) continue;
    const auto generation = file.find('/') + 1;
    const std::string name = file.substr(file.find('/', generation) + 1);
    if (!name.starts_with("@")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

inline std::size_t ledger_lines(StoreBench& bench, const std::string& path) {
  std::size_t count = 0;
  const auto page = bench.store->changes("sstate-cache", 0, 1000);
  for (const Store::Change& change : page->changes) count += change.removed && change.path == path ? 1 : 0;
  return count;
}

inline void fill(StoreBench& bench) {
  bench.clock.set(1'000'000);
  REQUIRE(bench.put(k_name, "content"));
  REQUIRE(bench.put(k_other, "other bytes"));
  REQUIRE(bench.put("downloads/a-1.0.tar", "a tarball"));
  REQUIRE(bench.put("generic/empty", ""));
  REQUIRE(bench.put("generic/shared-1", "shared"));
  REQUIRE(bench.put("generic/shared-2", "shared"));
}

struct Turns {
  int runs = 0;
  std::size_t corrupt = 0;  // told of, in all of them
  Findings last;
};

// A pass in runs of a thirtieth of a second. `between` is told how many there were.
inline Turns scrub_in_turns(StoreBench& bench, ScrubOptions options,
                            const std::function<void(int runs)>& between) {
  Turns turns;
  do {
    auto next = scrub_with(bench, options);
    REQUIRE(next);
    turns.last = *next;
    turns.corrupt += turns.last.count("corrupt");
    CHECK(turns.last.last.resumed == (turns.runs > 0));
    REQUIRE(++turns.runs < 200);
    between(turns.runs);
    options.rate = ByteSize{1000};
  } while (!turns.last.last.complete);
  CHECK(turns.runs > 2);
  return turns;
}

inline ScrubOptions bound_by_time(std::uint64_t bytes_a_second) {
  ScrubOptions options;
  options.cursor = cursor_of(ScrubLevel::full);
  options.time_budget = std::chrono::milliseconds(30);
  options.rate = ByteSize{bytes_a_second};
  return options;
}

}  // namespace larder::scrubbing
