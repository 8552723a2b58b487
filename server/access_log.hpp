// One line for every request, written by a thread of its own: a loop hands the
// line over and goes on. When the writer cannot keep up, the oldest lines are
// dropped rather than a request delayed. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "server/config.hpp"

namespace spdlog {
class logger;
}

namespace larder {

struct AccessRecord {
  std::string_view client;      // address
  std::string_view protocol;    // "http"
  std::string_view method;      // "GET"
  std::string_view name;        // as requested; control characters are made visible
  int status = 0;
  std::string_view outcome;     // "hit", "miss", "created" …; empty: none
  std::uint64_t bytes_in = 0;   // of bodies
  std::uint64_t bytes_out = 0;
  std::chrono::microseconds duration{0};
};

// One line without its end. Values a client chose cannot forge another line or
// field: quotes, backslashes and control characters are escaped.
std::string format_access(const AccessRecord& record, LogFormat format, std::int64_t unix_milliseconds);

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
