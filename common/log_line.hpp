// The ledger as the server tells it, one line of JSON each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace larder::api {

// GET ?namespace=&match=GLOB&actor=GLOB&action=&since=UNIX&until=UNIX&limit=N, each of them
// optional, `since` and `until` included. Answer: LogLines (ndjson), newest first.
inline constexpr std::string_view k_log = "/-/v1/log";

struct LogLine {
  std::uint64_t sequence = 0;  // of the ledger; index.txt counts otherwise (Larder-Generation)
  std::int64_t time = 0;       // UnixSeconds
  std::string action;          // put, replace, remove, adopt, conflict, found, vanished, corrupt …
  std::string name;            // NAMESPACE/PATH; empty when it is about none
  std::uint64_t size = 0;
  std::string digest;  // SHA-256 hex
  std::string actor;
  std::string why;
};

std::string to_json(const LogLine& line);
Result<LogLine> log_line_from_json(std::string_view json);

}  // namespace larder::api
