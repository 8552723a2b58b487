// Connection, the part under TLS: waits where TlsEngine says so.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "server/runtime/connection.hpp"
#include "server/runtime/connection_errors.hpp"
#include "server/runtime/page_cache.hpp"

namespace larder {
namespace {

using Progress = TlsEngine::Progress;

constexpr char k_handshake_record = 0x16;      // RFC 8446, section 5.1
constexpr std::size_t k_record = 16 << 10;     // plain bytes in the largest
constexpr std::size_t k_piece = 64 << 10;      // bytes read of a file at once: four records
constexpr std::size_t k_most_held = 4 << 10;   // bytes
constexpr std::size_t k_step = 1 << 10;        // what a step costs at least, in bytes worth as much time
constexpr std::size_t k_turn = 512 << 10;      // bytes (0.3 ms) before other sessions of the loop get theirs
constexpr std::uint64_t k_window = 512 << 10;  // of a file, for the kernel

}  // namespace

Task<Connection::Secured> Connection::secure(std::shared_ptr<const TlsContext> context, std::string scope,
                                             Tickets tickets) {
  const auto [unreadable] = co_await socket_.async_wait(Socket::wait_read, k_as_outcome);
  if (unreadable) co_return Secured::failed;
  char first = 0;
  const ssize_t count = ::recv(fd_, &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count <= 0) co_return Secured::failed;
  const std::shared_ptr<const TlsContext> kept = context;
  TlsFigures& figures = kept->figures();
  if (first != k_handshake_record) {
    figures.failures.fetch_add(1, std::memory_order_relaxed);
    co_return Secured::plain_text;
  }
  tls_ = std::make_unique<TlsEngine>(std::move(context), fd_, scope);
  if (tickets == Tickets::no) tls_->issue_no_tickets();
  while (true) {
    const TlsEngine::Step step = tls_->accept();
    if (step.progress == Progress::done) break;
    const bool was_counted = step.progress >= Progress::ended;
    const ErrorCode error = co_await wait_for(step.progress);
    if (!error) continue;
    if (!was_counted) figures.failures.fetch_add(1, std::memory_order_relaxed);
    co_return Secured::failed;
  }
  if (tickets == Tickets::no) acknowledge_now();
  tls_user_ = tls_->user();
  co_return Secured::yes;
}

// A handshake of TLS 1.3, or one that resumes, ends with the client's own words. Where no ticket answers
// them, nothing does for 40 ms: so long its kernel holds the first request, unless it was told not to
// (TCP_NODELAY).
void Connection::acknowledge_now() {
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

// An error for a progress that no waiting helps.
Task<ErrorCode> Connection::wait_for(Progress progress) {
  if (progress != Progress::wants_read && progress != Progress::wants_write) co_return error_of(progress);
  turn_ = 0;
  const auto what = progress == Progress::wants_read ? Socket::wait_read : Socket::wait_write;
  const auto [error] = co_await socket_.async_wait(what, k_as_outcome);
  co_return error;
}

// Steps that need not wait do not come back to the loop by themselves.
bool Connection::turn_is_over(std::size_t bytes) {
  turn_ += bytes + k_step;
  if (turn_ < k_turn) return false;
  turn_ = 0;
  return true;
}

Task<Connection::ReadOutcome> Connection::read_secure(std::span<char> buffer) {
  ReadOutcome outcome;
  // Right behind an answer there is rarely a request yet, and a read for nothing costs a buffer as well.
  if (std::exchange(wrote_, false) && !tls_->has_buffered()) {
    outcome.error = co_await wait_for(Progress::wants_read);
    if (outcome.error) co_return outcome;
  }
  while (true) {
    const TlsEngine::Step step = tls_->read(buffer);
    outcome.count = step.count;
    if (step.progress == Progress::done) break;
    outcome.error = co_await wait_for(step.progress);
    if (outcome.error) co_return outcome;
  }
  if (turn_is_over(outcome.count)) {
    const LoopExecutor executor = socket_.get_executor();
    co_await asio::post(executor, k_as_task);
  }
  co_return outcome;
}

std::size_t Connection::try_write_secure(std::string_view bytes) {
  wrote_ = true;
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const TlsEngine::Step step = tls_->write(bytes.substr(taken));
    if (step.progress != Progress::done) break;
    taken += step.count;
  }
  return taken;
}

// The end of the first and the beginning of the second share a record.
std::size_t Connection::try_write_secure(std::string_view first, std::string_view second) {
  const std::size_t whole = first.size() / k_record * k_record;
  std::size_t taken = try_write_secure(first.substr(0, whole));
  if (taken < whole) return taken;
  std::string joined(first.substr(taken));
  const std::size_t of_second = std::min(second.size(), k_record - joined.size());
  joined += second.substr(0, of_second);
  const std::size_t shared = try_write_secure(joined);
  taken += shared;
  return shared < joined.size() ? taken : taken + try_write_secure(second.substr(of_second));
}

Task<ErrorCode> Connection::write_secure(std::string_view bytes) {
  const ErrorCode success;
  wrote_ = true;
  if (corked_ && held_.size() + bytes.size() <= k_most_held) {
    held_ += bytes;
    co_return success;
  }
  std::string joined;
  if (!held_.empty()) {
    joined.swap(held_);
    joined += bytes;
    bytes = joined;
  }
  while (!bytes.empty()) {
    const TlsEngine::Step step = tls_->write(bytes);
    if (step.progress != Progress::done) {
      const ErrorCode error = co_await wait_for(step.progress);
      if (error) co_return error;
      continue;
    }
    bytes.remove_prefix(step.count);
    if (!turn_is_over(step.count)) continue;
    const LoopExecutor executor = socket_.get_executor();
    co_await asio::post(executor, k_as_task);
  }
  co_return success;
}

Task<ErrorCode> Connection::send_file_secure(DiskPool& pool, FilePart part, const Pace& pace,
                                             std::uint64_t& sent) {
  std::string head;
  head.swap(held_);
  const std::size_t room =
      static_cast<std::size_t>(std::min<std::uint64_t>(k_piece, head.size() + part.length));
  const std::unique_ptr<char[]> buffer(new char[room]);      // not cleared: it costs as much as filling it
  std::size_t ahead = head.copy(buffer.get(), head.size());  // bytes in front of those of the file
  while (sent < part.length) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(room - ahead, part.length - sent));
    const std::span<char> into(buffer.get() + ahead, wanted);
    ssize_t count = read_cached(part.file, into, part.offset + sent);
    if (count < 0 && errno == EAGAIN) {
      set_deadline(SteadyTime::max());
      count = co_await pool.run(&read_patiently, part.file, into, part.offset + sent);
    }
    if (count <= 0) co_return system_error(EIO);  // or the file is shorter than it was
    std::string_view piece(buffer.get(), ahead + static_cast<std::size_t>(count));
    while (!piece.empty()) {
      const TlsEngine::Step step = tls_->write(piece);
      if (step.progress == Progress::done) {
        const std::size_t of_head = std::min(ahead, step.count);
        ahead -= of_head;
        sent += step.count - of_head;
        piece.remove_prefix(step.count);
        if (!turn_is_over(step.count)) continue;
        const LoopExecutor executor = socket_.get_executor();
        co_await asio::post(executor, k_as_task);
        continue;
      }
      set_deadline(pace.deadline(sent, std::chrono::steady_clock::now()));
      const ErrorCode error = co_await wait_for(step.progress);
      set_deadline(SteadyTime::max());
      if (error) co_return error;
    }
  }
  const ErrorCode success;
  co_return success;
}

Task<ErrorCode> Connection::send_file_in_kernel(DiskPool& pool, FilePart part, const Pace& pace,
                                                std::uint64_t& sent) {
  corked_ = false;  // what was held goes first
  const std::string_view nothing;
  const ErrorCode failed = co_await write_secure(nothing);
  if (failed) co_return failed;
  WarmthProbe probe;
  std::uint64_t warm_until = 0;  // relative to the offset
  while (sent < part.length) {
    if (sent >= warm_until) {
      const FilePart window{part.file, part.offset + sent, std::min(k_window, part.length - sent), nullptr};
      warm_until = sent + window.length;
      const bool warm = co_await warm_window(pool, probe, window);
      if (!warm) co_return system_error(EIO);
    }
    const auto wanted = static_cast<std::size_t>(warm_until - sent);
    const TlsEngine::Step step = tls_->send_file(part.file, part.offset + sent, wanted);
    if (step.progress == Progress::done) {
      sent += step.count;
      if (!turn_is_over(step.count)) continue;
      const LoopExecutor executor = socket_.get_executor();
      co_await asio::post(executor, k_as_task);
      continue;
    }
    set_deadline(pace.deadline(sent, std::chrono::steady_clock::now()));
    const ErrorCode error = co_await wait_for(step.progress);
    set_deadline(SteadyTime::max());
    if (error) co_return error;
  }
  const ErrorCode success;
  co_return success;
}

}  // namespace larder
