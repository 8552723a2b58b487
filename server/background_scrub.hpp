// The daemon's own check of what it stores, a pass every period, in a thread of
// low priority. It goes on where it was after a restart, and makes way for a
// check that a person asks for.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <stop_token>

#include "common/clock.hpp"
#include "server/live_config.hpp"
#include "server/store/store.hpp"

namespace larder {

class BackgroundScrub {
 public:
  BackgroundScrub(Store& store, const LiveConfig& config, const Clock& clock,
                  std::shared_ptr<spdlog::logger> log);

  void run(const std::stop_token& stop);  // until it is stopped

 private:
  bool is_due() const;
  void run_slice(const std::stop_token& stop);

  Store& store_;
  const LiveConfig& config_;
  const Clock& clock_;
  const std::shared_ptr<spdlog::logger> log_;
};

}  // namespace larder
