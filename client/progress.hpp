// How far a long command is. On a terminal one line that is rewritten, otherwise a
// plain line every few seconds, nothing at all when quiet. Always on standard
// error: standard output is for results.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace larder::client {

struct ProgressFigures {
  std::string_view doing;  // "sent", "adopted"
  std::uint64_t done = 0;
  std::uint64_t total = 0;  // 0: not known
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::chrono::milliseconds elapsed{0};
};

// "sent 123 of 10,000 (1.2 GiB of 3.4 GiB), 45 MiB/s, 50 s left". What cannot be
// known yet (no rate in the first second, no total) is not said.
std::string progress_line(const ProgressFigures& figures);

// Cut to the terminal's width, so that rewriting it takes one line only.
std::string fitted(std::string_view line, std::size_t width);

enum class ProgressStyle { none, terminal, plain };
ProgressStyle progress_style(bool quiet);  // looks at standard error

// Prints what `line` returns, from a thread of its own, until it is destroyed.
class Progress {
 public:
  Progress(ProgressStyle style, std::function<std::string()> line);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // A message that stays, above the line. Shown in every style but none.
  void note(const std::string& message);

 private:
  void run();
  void show_line();
  void clear_line();

  const ProgressStyle style_;
  const std::function<std::string()> line_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  bool line_shown_ = false;
  std::thread thread_;
};

}  // namespace larder::client
