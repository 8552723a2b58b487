// The daemon's logs, made from its configuration: lines for people on a
// terminal, JSON lines otherwise. Nothing here is global; whoever logs is given a logger.
#pragma once

#include <functional>
#include <memory>

#include "common/result.hpp"
#include "server/access_log.hpp"
#include "server/config.hpp"

namespace spdlog {
class logger;
}

namespace larder {

struct Logs {
  std::shared_ptr<spdlog::logger> main;
  AccessLog access;
  std::function<void()> reopen;  // after a rotation: files are opened anew under their names
};

Result<Logs> make_logs(const LogConfig& config);

// Logs that keep nothing, for tests.
Logs silent_logs();

}  // namespace larder
