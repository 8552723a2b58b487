// What is said of snapshots, as values and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace larder::api {

// GET: SnapshotStat lines (ndjson), by name. POST: SnapshotRequest; answer: SnapshotStat.
// DELETE ?name=NAME; answer: SnapshotStat of what it was.
inline constexpr std::string_view k_snapshots = "/-/v1/snapshots";
// POST ?name=NAME: what the live namespaces miss is put back; answer: RestoreResult.
inline constexpr std::string_view k_restore = "/-/v1/snapshots/restore";

struct SnapshotRequest {
  std::string name;
  std::vector<std::string> namespaces;  // empty: all
  // What belongs to it; both empty: everything there is.
  std::vector<std::string> names;  // NAMESPACE/PATH; an archive brings its .siginfo and .sig
  std::vector<std::string>
      hashes;  // of tasks, 64 hexadecimal digits; those without an object are passed over
};
std::string to_json(const SnapshotRequest& request);
Result<SnapshotRequest> snapshot_request_from_json(std::string_view json);  // strict

struct SnapshotStat {
  struct Space {
    std::string name;  // of the namespace
    std::uint64_t artifacts = 0;
    std::uint64_t bytes = 0;  // what its names add up to
  };
  std::string name;
  std::int64_t created = 0;  // UnixSeconds
  std::vector<Space> namespaces;
  std::uint64_t missing = 0;  // names that were asked for and are not there
};
std::string to_json(const SnapshotStat& stat);
Result<SnapshotStat> snapshot_stat_from_json(std::string_view json);

struct RestoreResult {
  std::uint64_t restored = 0;   // names
  std::uint64_t present = 0;    // were there, with the same bytes
  std::uint64_t conflicts = 0;  // other bytes are there, and stay
};
std::string to_json(const RestoreResult& result);
Result<RestoreResult> restore_result_from_json(std::string_view json);

}  // namespace larder::api
