// Points in time as people name them.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/result.hpp"

namespace larder::client {

// Seconds since 1970 for "14d" and "2 days ago" (both before `now`), "2026-11-01",
// "2026-11-01 14:30" and "2026-11-01T14:30:05" (local time), "today", "yesterday", "now" and
// "@1790000000". invalid_argument for anything else.
Result<std::int64_t> parse_moment(std::string_view text, std::int64_t now);

}  // namespace larder::client
