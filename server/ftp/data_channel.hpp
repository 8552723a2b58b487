// The data connection of a session: one at a time, opened by the client (passive)
// or towards it (active), and only ever with the peer of the control connection.
// Lives on the session's loop; the session enforces its deadline.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <optional>
#include <random>

#include "common/result.hpp"
#include "server/config.hpp"
#include "server/runtime/connection.hpp"

namespace larder::ftp {

class DataChannel {
 public:
  explicit DataChannel(LoopExecutor executor) : executor_(executor) {}

  // Passive: listens on `local`, on a port of the range picked at random. The port, or Errc::busy
  // when none is free. What was prepared before is given up.
  // It is given up when nothing opens it before `deadline`.
  Result<std::uint16_t> listen(const asio::ip::address& local, PortRange ports, SteadyTime deadline);
  // Active: connects from `local` to `target` when it is opened.
  void aim(const asio::ip::address& local, const asio::ip::tcp::endpoint& target);

  // Waits for the connection. Connections of others than `peer` are closed and
  // do not count. Errc::busy: it did not come about before `deadline`.
  Task<Result<void>> open(const asio::ip::address& peer, SteadyTime deadline);

  Connection& connection() { return *connection_; }

  // Whether the peer threw away what it was sent instead of reading it.
  bool was_reset();

  SteadyTime deadline() const;
  void expire();  // the deadline has passed: what waits for the channel fails
  // Fails what is under way, without ending the coroutine that waits for it.
  void interrupt();
  void close();  // nothing is prepared any more

 private:
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, LoopExecutor>;

  Task<ErrorCode> accept(const asio::ip::address& peer);
  Task<ErrorCode> connect();

  LoopExecutor executor_;
  std::optional<Acceptor> acceptor_;
  std::optional<Socket> connecting_;
  asio::ip::tcp::endpoint target_;
  std::optional<Connection> connection_;
  SteadyTime opening_deadline_ = SteadyTime::max();
};

}  // namespace larder::ftp
