#include "server/runtime/kept_connections.hpp"

#include <sys/epoll.h>

#include <array>
#include <exception>
#include <iterator>

namespace larder {

KeptConnection::KeptConnection(std::unique_ptr<Connection> connection, SteadyTime last_used)
    : connection_(std::move(connection)), last_used_(last_used) {
  connection_->leave_loop();
}

KeptConnections::KeptConnections(asio::io_context& loop, OnBug on_bug)
    : events_(loop.get_executor()), on_bug_(std::move(on_bug)) {}

KeptConnections::~KeptConnections() {
  close_all();
}

// With the first connection: most processes have many sets, and use one.
bool KeptConnections::open() {
  if (events_.is_open()) return true;
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return false;
  ErrorCode error;
  events_.assign(epoll, error);
  if (error) {
    ::close(epoll);
    return false;
  }
  wait();
  return true;
}

void KeptConnections::add(std::unique_ptr<KeptConnection> connection) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.ptr = connection.get();
  const int descriptor = connection->connection().descriptor();
  if (!open() || ::epoll_ctl(events_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) != 0)
    return;                     // no memory for it: the connection closes
  auto behind = by_use_.end();  // of those that were not used later; nearly always the last
  while (behind != by_use_.begin() && std::prev(behind)->last_used_ > connection->last_used_) --behind;
  by_use_.insert(behind, *connection.release());
  size_.fetch_add(1, std::memory_order_relaxed);
}

void KeptConnections::wait() {
  events_.async_wait(decltype(events_)::wait_read, [this](ErrorCode error) {
    if (error) return;
    look();
    wait();
  });
}

void KeptConnections::look() {
  constexpr std::size_t k_at_once = 128;  // then the rest of the loop gets its turn
  std::array<epoll_event, k_at_once> events;
  const int count = ::epoll_wait(events_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    serve(*static_cast<KeptConnection*>(event.data.ptr),
          (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
  }
}

void KeptConnections::serve(KeptConnection& connection, bool peer_ended) {
  auto next = KeptConnection::Next::over;
  try {
    next = connection.on_readable(peer_ended);
    if (next == KeptConnection::Next::session) return hand_over(connection);
  } catch (const std::exception& bug) {
    on_bug_(bug.what());
    if (next == KeptConnection::Next::session) return;  // it is gone
  }
  if (next == KeptConnection::Next::answered)
    by_use_.splice(by_use_.end(), by_use_, by_use_.iterator_to(connection));
  if (next == KeptConnection::Next::over) end(connection);
}

void KeptConnections::hand_over(KeptConnection& connection) {
  const auto leaving = take_out(connection);
  ::epoll_ctl(events_.native_handle(), EPOLL_CTL_DEL, leaving->connection().descriptor(), nullptr);
  leaving->become_session();
}

std::unique_ptr<KeptConnection> KeptConnections::take_out(KeptConnection& connection) {
  by_use_.erase(by_use_.iterator_to(connection));
  size_.fetch_sub(1, std::memory_order_relaxed);
  return std::unique_ptr<KeptConnection>(&connection);
}

void KeptConnections::end(KeptConnection& connection) {
  const auto ended = take_out(connection);
  ended->connection().close();
}

void KeptConnections::close_expired(SteadyTime now) {
  while (!by_use_.empty() && by_use_.front().deadline() <= now) end(by_use_.front());
}

void KeptConnections::close_all() {
  while (!by_use_.empty()) end(by_use_.front());
}

}  // namespace larder
