// One line for every request, written by a thread of its own: a loop hands the
// line over and goes on. When the writer cannot keep up, the oldest lines are
// dropped rather than a request delayed. Thread-safe.
#pragma once

#include <memory>

#include "server/access_line.hpp"

namespace spdlog {
class logger;
}

namespace larder {

class AccessLog {
 public:
  AccessLog() = default;  // off
  explicit AccessLog(std::shared_ptr<spdlog::logger> logger, LogFormat format)
      : logger_(std::move(logger)), format_(format) {}

  bool on() const { return logger_ != nullptr; }
  void write(const AccessRecord& record);
  void flush();

 private:
  std::shared_ptr<spdlog::logger> logger_;
  LogFormat format_ = LogFormat::text;
};

}  // namespace larder
