// Sending what a plan misses: several workers, one connection each, group by
// group, the archive before its companions.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>

#include "client/seed_plan.hpp"
#include "client/seed_summary.hpp"
#include "client/server_connection.hpp"

namespace larder::client {

struct UploadContext {
  std::filesystem::path directory;
  ServerUrl server;
  std::string name_space;
  unsigned jobs = 16;
  bool verify = true;
  std::string build;  // for the server's ledger; empty: none
  std::chrono::milliseconds patience{0};
  std::function<void(const std::string&)> on_note;  // from any worker
};

// What is read while the workers run.
struct UploadFigures {
  std::atomic<std::uint64_t> names{0};
  std::atomic<std::uint64_t> bytes{0};
};

// Sends until all is done, an interrupt comes, or the server will take no more
// (then summary.stopped says why). Adds what happened to `summary`.
void upload_missing(const UploadContext& context, const SeedPlan& plan, UploadFigures& figures,
                    SeedSummary& summary);

// The fate of one PUT, from its answer alone.
enum class PutOutcome {
  stored,    // 201, 204; 200 where other bytes were there before and made room
  same,      // 200: these bytes were there
  conflict,  // 409
  rejected,  // the server does not want this one; the next may fare better
  damaged,   // 422: other bytes arrived than were declared
  stop,      // no further upload can succeed: full, not allowed, away
};
PutOutcome put_outcome(int status, const PlannedName& name);

}  // namespace larder::client
