#include "server/log_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>

namespace larder {
namespace {

Result<int> open_to_append(const std::string& file) {
  if (file.empty()) return STDERR_FILENO;
  std::error_code ignored;  // open() says what is wrong
  const auto directory = std::filesystem::path(file).parent_path();
  if (!directory.empty()) std::filesystem::create_directories(directory, ignored);
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return posix_error("open the log", file, errno);
  return descriptor;
}

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::open(const std::string& file) {
  LARDER_TRY_ASSIGN(const int descriptor, open_to_append(file));
  return std::unique_ptr<LogWriter>(new LogWriter(descriptor, file));
}

LogWriter::LogWriter(int descriptor, std::string file)
    : file_(std::move(file)), descriptor_(descriptor), thread_([this] { run(); }) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  added_.notify_one();
  thread_.join();
  if (!file_.empty()) ::close(descriptor_);
}

void LogWriter::add(std::string_view line) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (lines_.size() + line.size() > k_most) {
      ++dropped_;
      return;
    }
    const std::size_t before = lines_.size();
    lines_.append(line).push_back('\n');
    taken_in_ += line.size() + 1;
    // The thread is woken for the first line, and again when there is much.
    wake = before == 0 || (before < k_batch && lines_.size() >= k_batch);
    if (lines_.size() >= k_batch) hurry_ = true;
  }
  if (wake) added_.notify_one();
}

void LogWriter::flush() {
  std::unique_lock lock(mutex_);
  const std::uint64_t before = taken_in_;
  hurry_ = true;
  added_.notify_one();
  written_.wait(lock, [&] { return written_out_ >= before; });
}

Result<void> LogWriter::reopen() {
  if (file_.empty()) return {};
  LARDER_TRY_ASSIGN(const int fresh, open_to_append(file_));
  int old = fresh;
  {
    const std::lock_guard lock(descriptor_mutex_);
    std::swap(old, descriptor_);
  }
  ::close(old);
  return {};
}

void LogWriter::run() {
  constexpr std::chrono::milliseconds k_patience(100);
  std::unique_lock lock(mutex_);
  while (true) {
    added_.wait(lock, [this] { return stopping_ || !lines_.empty() || hurry_; });
    added_.wait_for(lock, k_patience, [this] { return stopping_ || hurry_; });
    if (dropped_ > 0) {
      const std::size_t before = lines_.size();
      lines_.append("larderd: ").append(std::to_string(dropped_));
      lines_ += " lines were dropped here: the log could not be written fast enough\n";
      taken_in_ += lines_.size() - before;
      dropped_ = 0;
    }
    std::string lines;
    lines.swap(lines_);
    hurry_ = false;
    lock.unlock();
    write_out(lines);
    lock.lock();
    written_out_ += lines.size();
    // The memory serves again, unless much more gathered than usual.
    if (lines_.empty() && lines.capacity() <= 4 * k_batch) {
      lines.clear();
      lines_.swap(lines);
    }
    written_.notify_all();
    if (stopping_ && lines_.empty()) return;
  }
}

// A disk that takes nothing costs lines, not the daemon.
void LogWriter::write_out(const std::string& lines) {
  const std::lock_guard lock(descriptor_mutex_);
  for (std::string_view rest = lines; !rest.empty();) {
    const ssize_t count = ::write(descriptor_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace larder
