// Lines on their way to a file, or to standard error. Who has one leaves it here
// and goes on; a thread writes what has gathered, a tenth of a second after the
// first line at the latest. When that thread cannot keep up, lines are dropped
// rather than a request delayed, and a line says how many. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "common/result.hpp"

namespace larder {

class LogWriter {
 public:
  // An empty `file` is standard error. Directories above it are made.
  static Result<std::unique_ptr<LogWriter>> open(const std::string& file);
  ~LogWriter();  // writes what is left

  void add(std::string_view line);  // without its end
  void flush();                     // returns when everything that was added before is written
  Result<void> reopen();            // after a rotation: the file of this name, whatever it is now

 private:
  LogWriter(int descriptor, std::string file);

  void run();
  void write_out(const std::string& lines);

  static constexpr std::size_t k_batch = 64 << 10;  // bytes that are not kept waiting
  static constexpr std::size_t k_most = 16 << 20;   // bytes that may wait

  const std::string file_;
  std::mutex descriptor_mutex_;
  int descriptor_;

  std::mutex mutex_;
  std::condition_variable added_;
  std::condition_variable written_;
  std::string lines_;
  std::uint64_t dropped_ = 0;   // lines, since the last that was not
  bool hurry_ = false;          // somebody waits for it, or much has gathered
  std::uint64_t taken_in_ = 0;  // bytes, since the start
  std::uint64_t written_out_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace larder
