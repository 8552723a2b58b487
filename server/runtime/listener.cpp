#include "server/runtime/listener.hpp"

#include <sys/socket.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <future>

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
  return std::unique_ptr<Listener>(new Listener(loops, std::move(acceptor), socket.name(), socket.port,
                                                admission, std::move(on_connection)));
}

Listener::Listener(LoopGroup& loops, Acceptor acceptor, std::string name, std::uint16_t port,
                   Admission& admission, OnConnection on_connection)
    : loops_(loops),
      acceptor_(std::move(acceptor)),
      pause_(loops.at(0).get_executor()),
      name_(std::move(name)),
      port_(port),
      admission_(admission),
      on_connection_(std::move(on_connection)) {}

void Listener::start() {
  started_ = true;
  asio::post(acceptor_.get_executor(), [this] { accept_next(); });
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
    pause_.cancel();
    closed.set_value();
  });
  closed.get_future().wait();
}

void Listener::accept_next() {
  const std::size_t loop = next_loop_;
  next_loop_ = (next_loop_ + 1) % loops_.size();
  acceptor_.async_accept(loops_.at(loop).get_executor(), [this, loop](ErrorCode error, Socket socket) {
    if (!acceptor_.is_open()) return;
    if (!error) {
      hand_over(std::move(socket), loop);
      accept_next();
      return;
    }
    // Out of descriptors, most likely: those who are served will give some back.
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([this](ErrorCode cancelled) {
      if (!cancelled) accept_next();
    });
  });
}

void Listener::hand_over(Socket socket, std::size_t loop) {
  ErrorCode error;
  const auto peer = plain_address(socket.remote_endpoint(error).address());
  if (error) return;
  auto ticket = admission_.admit(peer);
  if (!ticket) return;
  asio::post(loops_.at(loop),
             [this, loop, socket = std::move(socket), ticket = std::move(*ticket)]() mutable {
               on_connection_(std::move(socket), loop, std::move(ticket));
             });
}

}  // namespace larder
