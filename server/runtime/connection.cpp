#include "server/runtime/connection.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <vector>

namespace larder {
namespace {

constexpr std::uint64_t k_window = 2 << 20;  // bytes for one sendfile and one look into the page cache
constexpr std::uint64_t k_turn = 2 << 20;    // bytes before other sessions of the loop get their turn

// Whether the byte at `offset` can be had without waiting. File systems that
// cannot tell (tmpfs) count as warm.
bool is_warm(int file, std::uint64_t offset) {
  char byte = 0;
  iovec target = {&byte, 1};
  const ssize_t count = ::preadv2(file, &target, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  return count >= 0 || errno != EAGAIN;
}

// The same for a window: its pages are looked at here and there, since the kernel's own
// reading ahead makes the first one warm and not the others.
bool is_warm(int file, std::uint64_t offset, std::uint64_t length) {
  constexpr std::uint64_t k_stride = 256 << 10;  // a look costs half a microsecond
  for (std::uint64_t probe = 0; probe < length; probe += k_stride) {
    if (!is_warm(file, offset + probe)) return false;
  }
  return is_warm(file, offset + length - 1);
}

// Brings a window into the page cache. Waits for the disk.
bool warm_up(int file, std::uint64_t offset, std::uint64_t length) {
  std::vector<char> scratch(128 << 10);
  ::posix_fadvise(file, static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
  for (std::uint64_t done = 0; done < length;) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(scratch.size(), length - done));
    const ssize_t count = ::pread(file, scratch.data(), wanted, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::uint64_t>(count);
  }
  return true;
}

ErrorCode system_error(int error_number) {
  return ErrorCode(error_number, boost::system::system_category());
}

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
  peer_ = plain_address(endpoint.address());
  peer_text_ = peer_.to_string();
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.native_non_blocking(true, ignored);
}

Task<Connection::ReadOutcome> Connection::read_some(std::span<char> buffer) {
  const asio::mutable_buffer target(buffer.data(), buffer.size());
  const auto [error, count] = co_await socket_.async_read_some(target, k_as_outcome);
  ReadOutcome outcome;
  outcome.error = error;
  outcome.count = count;
  co_return outcome;
}

Task<ErrorCode> Connection::write(std::string_view bytes) {
  const asio::const_buffer source(bytes.data(), bytes.size());
  const auto [error, count] = co_await asio::async_write(socket_, source, k_as_outcome);
  (void)count;
  co_return error;
}

Task<ErrorCode> Connection::send_file(DiskPool& pool, int file, std::uint64_t offset, std::uint64_t length,
                                      const Pace& pace, std::uint64_t& sent) {
  sent = 0;
  std::uint64_t this_turn = 0;
  std::uint64_t warm_until = 0;  // relative to offset
  while (sent < length) {
    const std::uint64_t window = std::min(k_window, length - sent);
    if (sent >= warm_until && !is_warm(file, offset + sent, window)) {
      set_deadline(SteadyTime::max());
      const bool fetched = co_await pool.run(&warm_up, file, offset + sent, window);
      if (!fetched) co_return system_error(EIO);
      warm_until = sent + window;
    }
    off_t position = static_cast<off_t>(offset + sent);
    const ssize_t count = ::sendfile(socket_.native_handle(), file, &position, window);
    if (count > 0) {
      sent += static_cast<std::uint64_t>(count);
      this_turn += static_cast<std::uint64_t>(count);
      if (this_turn < k_turn) continue;
      this_turn = 0;
      const LoopExecutor executor = socket_.get_executor();
      co_await asio::post(executor, k_as_task);
      continue;
    }
    if (count == 0) co_return system_error(EIO);  // the file is shorter than it was
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return system_error(errno);
    set_deadline(pace.deadline(sent, std::chrono::steady_clock::now()));
    const auto [error] = co_await socket_.async_wait(Socket::wait_write, k_as_outcome);
    set_deadline(SteadyTime::max());
    if (error) co_return error;
  }
  const ErrorCode success;
  co_return success;
}

void Connection::cork(bool on) {
  const int value = on ? 1 : 0;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

Connection::ReadOutcome Connection::try_read(std::span<char> buffer) {
  ReadOutcome outcome;
  const ssize_t count = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count > 0)
    outcome.count = static_cast<std::size_t>(count);
  else if (count == 0)
    outcome.error = asio::error::eof;
  else
    outcome.error = errno == EINTR ? asio::error::try_again : system_error(errno);
  return outcome;
}

std::size_t Connection::try_write(std::string_view bytes) {
  const ssize_t sent =
      ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

std::size_t Connection::try_write(std::string_view first, std::string_view second) {
  if (second.empty()) return try_write(first);
  std::array<iovec, 2> parts = {iovec{const_cast<char*>(first.data()), first.size()},
                                iovec{const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

Task<ErrorCode> Connection::wait_readable() {
  const auto [error] = co_await socket_.async_wait(Socket::wait_read, k_as_outcome);
  co_return error;
}

void Connection::stop_waiting() {
  ErrorCode ignored;
  socket_.cancel(ignored);
}

void Connection::finish_sending() {
  ErrorCode ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

asio::ip::address Connection::local() const {
  ErrorCode ignored;
  return plain_address(socket_.local_endpoint(ignored).address());
}

Task<void> Connection::linger(std::chrono::milliseconds at_most) {
  constexpr std::uint64_t k_most = 64 << 20;  // bytes thrown away before patience ends
  finish_sending();
  set_deadline(std::chrono::steady_clock::now() + at_most);
  std::array<char, 16384> scratch;
  const std::span<char> buffer(scratch);
  for (std::uint64_t thrown_away = 0; thrown_away < k_most;) {
    const ReadOutcome outcome = co_await read_some(buffer);
    if (outcome.error) co_return;
    thrown_away += outcome.count;
  }
}

void Connection::close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

void Connection::expire() {
  expired_ = true;
  close();
}

}  // namespace larder
