#include "client/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

#include "client/text.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

std::size_t terminal_width() {
  winsize size = {};
  constexpr std::size_t k_usual = 80;
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return k_usual;
  return size.ws_col;
}

}  // namespace

std::string progress_line(const ProgressFigures& figures) {
  std::string line = std::string(figures.doing) + " " + grouped(figures.done);
  if (figures.total > 0) line += " of " + grouped(figures.total);
  line += " (" + human_size(figures.done_bytes);
  if (figures.total_bytes > 0) line += " of " + human_size(figures.total_bytes);
  line += ")";
  if (figures.elapsed < std::chrono::seconds(1) || figures.done_bytes == 0) return line;

  const double seconds = static_cast<double>(figures.elapsed.count()) / 1000.0;
  const double rate = static_cast<double>(figures.done_bytes) / seconds;
  line += ", " + human_size(static_cast<std::uint64_t>(rate)) + "/s";
  if (figures.total_bytes <= figures.done_bytes) return line;
  const double left = static_cast<double>(figures.total_bytes - figures.done_bytes) / rate;
  return line + ", " + human_duration(std::chrono::milliseconds(static_cast<std::int64_t>(left * 1000))) +
         " left";
}

std::string fitted(std::string_view line, std::size_t width) {
  return std::string(line.substr(0, width > 1 ? width - 1 : 0));
}

ProgressStyle progress_style(bool quiet) {
  if (quiet) return ProgressStyle::none;
  return ::isatty(STDERR_FILENO) == 1 ? ProgressStyle::terminal : ProgressStyle::plain;
}

Progress::Progress(ProgressStyle style, std::function<std::string()> line)
    : style_(style), line_(std::move(line)) {
  if (style_ != ProgressStyle::none) thread_ = std::thread(&Progress::run, this);
}

Progress::~Progress() {
  if (style_ == ProgressStyle::none) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
  clear_line();
}

void Progress::note(const std::string& message) {
  if (style_ == ProgressStyle::none) return;
  const std::lock_guard lock(mutex_);
  clear_line();
  std::cerr << message << "\n" << std::flush;
}

void Progress::run() {
  using namespace std::chrono_literals;
  const std::chrono::milliseconds interval = style_ == ProgressStyle::terminal ? 200ms : 5000ms;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return ending_; })) show_line();
}

void Progress::show_line() {
  if (style_ == ProgressStyle::plain) {
    std::cerr << line_() << "\n" << std::flush;
    return;
  }
  clear_line();
  std::cerr << fitted(line_(), terminal_width()) << std::flush;
  line_shown_ = true;
}

void Progress::clear_line() {
  if (!line_shown_) return;
  std::cerr << "\r\x1b[K" << std::flush;
  line_shown_ = false;
}

}  // namespace larder::client
