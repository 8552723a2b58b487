#include "server/ftp/data_channel.hpp"

#include <sys/socket.h>

#include <boost/asio/connect.hpp>

namespace larder::ftp {
namespace {

using asio::ip::tcp;

// Where the system takes free ports from, unless it was told otherwise. Picked by name: bind() to port 0
// looks for a port without connections in TIME_WAIT, which every download leaves one of, and with some
// thousands of them that takes longer than all the rest.
constexpr PortRange k_free_ports = {32768, 60999};
constexpr unsigned k_tries = 64;  // before the system is asked after all

// Ports of a range that clients cannot foresee: an attacker who knew the next one
// could be there first.
std::uint16_t random_offset(std::uint16_t below) {
  static thread_local std::mt19937 generator{std::random_device{}()};
  return static_cast<std::uint16_t>(std::uniform_int_distribution<unsigned>(0, below - 1U)(generator));
}

}  // namespace

Result<std::uint16_t> DataChannel::listen(const asio::ip::address& local, PortRange ports,
                                          SteadyTime deadline) {
  close();
  const PortRange range = ports.any() ? k_free_ports : ports;
  const auto count = static_cast<unsigned>(range.last - range.first) + 1U;
  const unsigned start = random_offset(static_cast<std::uint16_t>(std::min(count, 65535U)));
  const unsigned tries = ports.any() ? k_tries + 1 : count;
  constexpr int k_backlog = 64;  // strangers may be in front of the peer
  ErrorCode error;
  for (unsigned i = 0; i < tries; ++i) {
    const bool ask_system = ports.any() && i == k_tries;
    const auto port = static_cast<std::uint16_t>(ask_system ? 0 : range.first + (start + i) % count);
    const tcp::endpoint endpoint(local, port);
    acceptor_.emplace(executor_);
    acceptor_->open(endpoint.protocol(), error);
    if (error) break;
    acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
    acceptor_->bind(endpoint, error);
    if (!error) acceptor_->listen(k_backlog, error);
    if (!error) {
      opening_deadline_ = deadline;
      return acceptor_->local_endpoint(error).port();
    }
    if (error != boost::system::errc::address_in_use) break;
  }
  acceptor_.reset();
  return Error(Errc::busy, "No port for a data connection is free: " + error.message());
}

void DataChannel::aim(const asio::ip::address& local, const tcp::endpoint& target) {
  close();
  ErrorCode ignored;
  const tcp::endpoint from(local, 0);
  connecting_.emplace(executor_);
  connecting_->open(from.protocol(), ignored);
  connecting_->bind(from, ignored);  // a failure shows when it connects
  target_ = target;
}

Task<Result<void>> DataChannel::open(const asio::ip::address& peer, SteadyTime deadline) {
  opening_deadline_ = deadline;
  ErrorCode error;
  if (acceptor_)
    error = co_await accept(peer);
  else
    error = co_await connect();
  opening_deadline_ = SteadyTime::max();
  if (error) {
    close();
    co_return Error(Errc::busy, "The data connection did not come about: " + error.message());
  }
  const Result<void> success;
  co_return success;
}

Task<ErrorCode> DataChannel::accept(const asio::ip::address& peer) {
  while (true) {
    Socket socket(executor_);
    const auto [error] = co_await acceptor_->async_accept(socket, k_as_outcome);
    if (error) co_return error;
    connection_.emplace(std::move(socket));
    if (connection_->peer() == peer) break;
    connection_.reset();
  }
  acceptor_.reset();  // one connection, and the door is shut
  const ErrorCode success;
  co_return success;
}

Task<ErrorCode> DataChannel::connect() {
  if (!connecting_)
    co_return ErrorCode(boost::system::errc::not_connected, boost::system::generic_category());
  const auto [error] = co_await connecting_->async_connect(target_, k_as_outcome);
  if (error) co_return error;
  connection_.emplace(std::move(*connecting_));
  connecting_.reset();
  co_return error;
}

bool DataChannel::was_reset() {
  if (!connection_) return false;
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(connection_->socket().native_handle(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error != 0;
}

SteadyTime DataChannel::deadline() const {
  return connection_ ? connection_->deadline() : opening_deadline_;
}

void DataChannel::expire() {
  opening_deadline_ = SteadyTime::max();
  interrupt();
  if (connection_) connection_->set_deadline(SteadyTime::max());
}

void DataChannel::interrupt() {
  ErrorCode ignored;
  if (acceptor_) acceptor_->close(ignored);
  if (connecting_) connecting_->close(ignored);
  if (connection_) connection_->close();
}

void DataChannel::close() {
  opening_deadline_ = SteadyTime::max();
  acceptor_.reset();
  connecting_.reset();
  connection_.reset();
}

}  // namespace larder::ftp
