#include "server/runtime/connection.hpp"

#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "server/runtime/connection_errors.hpp"
#include "server/runtime/page_cache.hpp"

namespace larder {
namespace {

constexpr std::uint64_t k_window = 2 << 20;     // bytes for one sendfile and one look into the page cache
constexpr std::uint64_t k_turn = 2 << 20;       // bytes before other sessions of the loop get their turn
constexpr std::chrono::seconds k_warm_for(10);  // what was warm as a whole stays so, while it is asked for

}  // namespace

asio::ip::address plain_address(const asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

SteadyTime Pace::deadline(std::uint64_t transferred, SteadyTime now) const {
  const SteadyTime by_progress = now + timeout_;
  if (min_rate_ == 0) return by_progress;
  const auto earned = std::chrono::seconds(transferred / min_rate_);
  return std::min(by_progress, start_ + timeout_ + earned);
}

Connection::Connection(Socket socket) : socket_(std::move(socket)) {
  ErrorCode ignored;
  const auto endpoint = socket_.remote_endpoint(ignored);
  fd_ = socket_.native_handle();
  is_v6_ = endpoint.address().is_v6();
  peer_ = plain_address(endpoint.address());
  peer_text_ = peer_.to_string();
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.native_non_blocking(true, ignored);
}

Connection::Connection(LoopExecutor executor, Descriptor accepted, const asio::ip::address& peer)
    : socket_(std::move(executor)),
      fd_(accepted.get()),
      in_loop_(false),
      is_v6_(peer.is_v6()),
      peer_(plain_address(peer)),
      peer_text_(peer_.to_string()) {
  accepted.release();
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() {
  if (!in_loop_) close();
}

void Connection::leave_loop() {
  if (!in_loop_) return;
  ErrorCode error;
  socket_.release(error);
  in_loop_ = static_cast<bool>(error);
}

ErrorCode Connection::join_loop() {
  ErrorCode error;
  const auto protocol = is_v6_ ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
  if (!in_loop_) socket_.assign(protocol, fd_, error);
  if (error)
    close();
  else
    in_loop_ = true;
  return error;
}

Task<Connection::ReadOutcome> Connection::read_some(std::span<char> buffer) {
  if (tls_) co_return co_await read_secure(buffer);
  const asio::mutable_buffer target(buffer.data(), buffer.size());
  const auto [error, count] = co_await socket_.async_read_some(target, k_as_outcome);
  ReadOutcome outcome;
  outcome.error = error;
  outcome.count = count;
  co_return outcome;
}

Task<ErrorCode> Connection::write(std::string_view bytes) {
  if (tls_) co_return co_await write_secure(bytes);
  const asio::const_buffer source(bytes.data(), bytes.size());
  const auto [error, count] = co_await asio::async_write(socket_, source, k_as_outcome);
  (void)count;
  co_return error;
}

Task<bool> Connection::warm_window(DiskPool& pool, WarmthProbe& probe, FilePart window) {
  if (probe.is_warm(window.file, window.offset, window.length)) co_return true;
  set_deadline(SteadyTime::max());
  const bool fetched = co_await pool.run(&warm_up, window.file, window.offset, window.length);
  co_return fetched;
}

Task<ErrorCode> Connection::send_file(DiskPool& pool, FilePart part, const Pace& pace, std::uint64_t& sent) {
  sent = 0;
  if (tls_ && tls_->sends_in_kernel()) co_return co_await send_file_in_kernel(pool, part, pace, sent);
  if (tls_) co_return co_await send_file_secure(pool, part, pace, sent);
  WarmthProbe probe;
  const bool known_warm =
      part.warm_until != nullptr && part.warm_until->load() > std::chrono::steady_clock::now();
  std::uint64_t this_turn = 0;
  std::uint64_t warm_until = 0;  // relative to the offset
  while (sent < part.length) {
    if (sent >= warm_until) {
      const FilePart window{part.file, part.offset + sent, std::min(k_window, part.length - sent), nullptr};
      warm_until = sent + window.length;
      bool warm = known_warm;
      if (!warm) warm = co_await warm_window(pool, probe, window);
      if (!warm) co_return system_error(EIO);
    }
    const std::uint64_t wanted = warm_until - sent;
    off_t position = static_cast<off_t>(part.offset + sent);
    const ssize_t count = ::sendfile(fd_, part.file, &position, wanted);
    if (count == 0) co_return system_error(EIO);  // the file is shorter than it was
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN) co_return system_error(errno);
    sent += static_cast<std::uint64_t>(std::max<ssize_t>(count, 0));
    if (sent == part.length) break;
    if (count > 0 && static_cast<std::uint64_t>(count) == wanted) {
      this_turn += wanted;
      if (this_turn < k_turn) continue;
      this_turn = 0;
      const LoopExecutor executor = socket_.get_executor();
      co_await asio::post(executor, k_as_task);
      continue;
    }
    this_turn = 0;  // the socket is full, and others of the loop get theirs
    set_deadline(pace.deadline(sent, std::chrono::steady_clock::now()));
    const auto [error] = co_await socket_.async_wait(Socket::wait_write, k_as_outcome);
    set_deadline(SteadyTime::max());
    if (error) co_return error;
  }
  if (part.warm_until != nullptr && !known_warm && probe.always())
    part.warm_until->store(std::chrono::steady_clock::now() + k_warm_for);
  const ErrorCode success;
  co_return success;
}

void Connection::cork(bool on) {
  corked_ = on;
  const int value = on ? 1 : 0;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

Connection::ReadOutcome Connection::try_read(std::span<char> buffer) {
  ReadOutcome outcome;
  if (tls_) {
    const TlsEngine::Step step = tls_->read(buffer);
    outcome.count = step.count;
    outcome.error = error_of(step.progress);
    return outcome;
  }
  const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count > 0)
    outcome.count = static_cast<std::size_t>(count);
  else if (count == 0)
    outcome.error = asio::error::eof;
  else
    outcome.error = errno == EINTR ? asio::error::try_again : system_error(errno);
  return outcome;
}

std::size_t Connection::try_write(std::string_view bytes) {
  if (tls_) return try_write_secure(bytes);
  const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

std::size_t Connection::try_write(std::string_view first, std::string_view second) {
  if (second.empty()) return try_write(first);
  if (tls_) return try_write_secure(first, second);
  std::array<iovec, 2> parts = {iovec{const_cast<char*>(first.data()), first.size()},
                                iovec{const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const ssize_t sent = ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

void Connection::stop_waiting() {
  ErrorCode ignored;
  socket_.cancel(ignored);
}

bool Connection::has_unread() const {
  ErrorCode ignored;
  return (tls_ && tls_->has_buffered()) || socket_.available(ignored) > 0;
}

Task<void> Connection::finish_sending() {
  while (tls_) {
    const TlsEngine::Step step = tls_->say_end();
    if (step.progress != TlsEngine::Progress::wants_write) break;
    const ErrorCode error = co_await wait_for(step.progress);
    if (error) co_return;
  }
  ErrorCode ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

asio::ip::address Connection::local() const {
  ErrorCode ignored;
  return plain_address(socket_.local_endpoint(ignored).address());
}

Task<void> Connection::linger(std::chrono::milliseconds at_most) {
  constexpr std::uint64_t k_most = 64 << 20;  // bytes thrown away before patience ends
  set_deadline(std::chrono::steady_clock::now() + at_most);
  co_await finish_sending();
  std::array<char, 16384> scratch;
  const asio::mutable_buffer target(scratch.data(), scratch.size());
  for (std::uint64_t thrown_away = 0; thrown_away < k_most;) {
    const auto [error, count] = co_await socket_.async_read_some(target, k_as_outcome);
    if (error) co_return;
    thrown_away += count;
  }
}

void Connection::close() {
  if (tls_) tls_->detach();
  if (!in_loop_ && fd_ >= 0) ::close(fd_);
  fd_ = -1;
  ErrorCode ignored;
  socket_.close(ignored);
}

bool Connection::say_end() {
  if (tls_ && tls_->say_end().progress == TlsEngine::Progress::wants_write) return false;
  ::shutdown(fd_, SHUT_WR);
  return true;
}

void Connection::expire() {
  expired_ = true;
  close();
}

}  // namespace larder
