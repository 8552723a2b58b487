// One line for every request, written by a thread of its own: a loop hands the
// line over and goes on. Thread-safe.
#pragma once

#include <memory>

#include "server/access_line.hpp"
#include "server/log_writer.hpp"

namespace larder {

class AccessLog {
 public:
  AccessLog() = default;  // off
  AccessLog(std::shared_ptr<LogWriter> writer, LogFormat format)
      : writer_(std::move(writer)), format_(format) {}

  bool on() const { return writer_ != nullptr; }
  void write(const AccessRecord& record);
  void flush();

 private:
  std::shared_ptr<LogWriter> writer_;
  LogFormat format_ = LogFormat::text;
};

}  // namespace larder
