#include "server/runtime/listener.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <future>

#include "server/runtime/connection.hpp"

namespace larder {
namespace {

using asio::ip::tcp;

Error listen_error(const std::string& address, std::uint16_t port, const ErrorCode& error) {
  return posix_error("listen on", (address.empty() ? "*" : address) + ":" + std::to_string(port),
                     error.value());
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

Result<std::unique_ptr<Listener>> Listener::open(LoopGroup& loops, const std::string& address,
                                                 std::uint16_t port, Admission& admission,
                                                 OnConnection on_connection) {
  ErrorCode error;
  const auto parsed = asio::ip::make_address(address.empty() ? "::" : address, error);
  if (error)
    return Error(Errc::invalid_argument, "cannot listen on '" + address + "': this is no IP address");

  tcp::endpoint endpoint(parsed, port);
  Acceptor acceptor(loops.at(0).get_executor());
  acceptor.open(endpoint.protocol(), error);
  if (error && address.empty()) {  // a kernel without IPv6
    endpoint = tcp::endpoint(tcp::v4(), port);
    acceptor.open(endpoint.protocol(), error);
  }
  if (error) return listen_error(address, port, error);
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(!address.empty()), error);
  acceptor.bind(endpoint, error);
  if (error == boost::system::errc::address_not_available &&
      address.empty()) {  // IPv6 is compiled in and switched off
    ErrorCode ignored;
    acceptor.close(ignored);
    endpoint = tcp::endpoint(tcp::v4(), port);
    acceptor.open(endpoint.protocol(), ignored);
    acceptor.set_option(tcp::acceptor::reuse_address(true), ignored);
    acceptor.bind(endpoint, error);
  }
  if (!error) acceptor.listen(4096, error);
  if (error) return listen_error(address, port, error);
  return std::unique_ptr<Listener>(
      new Listener(loops, std::move(acceptor), address, admission, std::move(on_connection)));
}

Listener::Listener(LoopGroup& loops, Acceptor acceptor, std::string address, Admission& admission,
                   OnConnection on_connection)
    : loops_(loops),
      acceptor_(std::move(acceptor)),
      pause_(loops.at(0).get_executor()),
      address_(std::move(address)),
      port_(acceptor_.local_endpoint().port()),
      admission_(admission),
      on_connection_(std::move(on_connection)) {}

std::string Listener::name() const {
  const bool v6 = address_.find(':') != std::string::npos;
  const std::string host = address_.empty() ? "*" : v6 ? "[" + address_ + "]" : address_;
  return host + ":" + std::to_string(port_);
}

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
