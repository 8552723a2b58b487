#include "server/runtime/listener.hpp"

#include <sys/socket.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <future>
#include <new>

#include "server/runtime/connection.hpp"

namespace larder {
namespace {

bool is_version_six(int descriptor) {
  int family = AF_INET;
  socklen_t size = sizeof family;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_INET6;
}

}  // namespace

Admission::Ticket::~Ticket() {
  if (admission_ != nullptr) admission_->leave(peer_);
}

std::optional<Admission::Ticket> Admission::admit(const asio::ip::address& peer) {
  const std::lock_guard lock(mutex_);
  std::uint32_t& from_there = by_peer_[peer];
  if (admitted_ >= in_all_ || from_there >= per_address_) {
    ++refused_;
    if (from_there == 0) by_peer_.erase(peer);
    return std::nullopt;
  }
  ++admitted_;
  ++from_there;
  return Ticket(*this, peer);
}

void Admission::leave(const asio::ip::address& peer) {
  const std::lock_guard lock(mutex_);
  --admitted_;
  const auto found = by_peer_.find(peer);
  if (--found->second == 0) by_peer_.erase(found);
}

std::size_t Admission::admitted() const {
  const std::lock_guard lock(mutex_);
  return admitted_;
}

std::uint64_t Admission::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

Result<std::unique_ptr<Listener>> Listener::open(LoopGroup& loops, ListeningSocket socket,
                                                 Admission& admission, OnConnection on_connection) {
  const auto protocol = is_version_six(socket.descriptor.get()) ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
  Acceptor acceptor(loops.at(0).get_executor());
  ErrorCode error;
  acceptor.assign(protocol, socket.descriptor.get(), error);
  if (error) return posix_error("listen on", socket.name(), error.value());
  socket.descriptor.release();
  acceptor.native_non_blocking(true, error);
  if (error) return posix_error("listen on", socket.name(), error.value());
  return std::unique_ptr<Listener>(new Listener(loops, std::move(acceptor), socket.name(), socket.port,
                                                admission, std::move(on_connection)));
}

Listener::Listener(LoopGroup& loops, Acceptor acceptor, std::string name, std::uint16_t port,
                   Admission& admission, OnConnection on_connection)
    : loops_(loops),
      acceptor_(std::move(acceptor)),
      pause_timer_(loops.at(0).get_executor()),
      name_(std::move(name)),
      port_(port),
      admission_(admission),
      on_connection_(std::move(on_connection)) {}

void Listener::start() {
  started_ = true;
  asio::post(acceptor_.get_executor(), [this] { wait(); });
}

void Listener::stop() {
  if (!started_) {  // nor has the loop, perhaps: it would never answer
    ErrorCode ignored;
    acceptor_.close(ignored);
    return;
  }
  std::promise<void> closed;
  asio::post(acceptor_.get_executor(), [this, &closed] {
    ErrorCode ignored;
    acceptor_.close(ignored);
    pause_timer_.cancel();
    closed.set_value();
  });
  closed.get_future().wait();
}

void Listener::wait() {
  acceptor_.async_wait(Acceptor::wait_read, [this](ErrorCode error) {
    if (!error && acceptor_.is_open()) accept_all();
  });
}

void Listener::accept_all() {
  constexpr int k_at_once = 64;  // then the rest of the loop gets its turn
  for (int i = 0; i < k_at_once; ++i) {
    asio::ip::tcp::endpoint peer;
    auto size = static_cast<socklen_t>(peer.capacity());
    const int accepted =
        ::accept4(acceptor_.native_handle(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (accepted < 0 && errno == EAGAIN) break;
    if (accepted < 0) return pause();
    try {
      hand_over(Descriptor(accepted), peer.address());
    } catch (const std::bad_alloc&) {
      return pause();
    }
  }
  wait();
}

// Out of descriptors or memory: those who are served will give some back.
void Listener::pause() {
  pause_timer_.expires_after(std::chrono::milliseconds(100));
  pause_timer_.async_wait([this](ErrorCode cancelled) {
    if (!cancelled) wait();
  });
}

void Listener::hand_over(Descriptor accepted, const asio::ip::address& peer) {
  auto ticket = admission_.admit(plain_address(peer));
  if (!ticket) return;
  const std::size_t loop = next_loop_;
  next_loop_ = (next_loop_ + 1) % loops_.size();
  auto connection = std::make_unique<Connection>(loops_.at(loop).get_executor(), std::move(accepted), peer);
  asio::dispatch(loops_.at(loop),
                 [this, loop, connection = std::move(connection), ticket = std::move(*ticket)]() mutable {
                   on_connection_(std::move(connection), loop, std::move(ticket));
                 });
}

}  // namespace larder
