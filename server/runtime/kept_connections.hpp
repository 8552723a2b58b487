// The connections of a loop that wait for their next request: one wait of the loop for all of
// them, and a few hundred bytes for each. What comes is answered in place where that needs no
// waiting, one connection after the other; whatever does gets a session. Everything happens on
// the loop's thread.
#pragma once

#include <atomic>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>

#include "server/runtime/connection.hpp"

namespace larder {

class KeptConnection : public boost::intrusive::list_base_hook<> {
 public:
  // Makes the connection leave its loop.
  KeptConnection(std::unique_ptr<Connection> connection, SteadyTime last_used);
  virtual ~KeptConnection() = default;

  enum class Next : std::uint8_t {
    nothing,   // that was no request yet
    answered,  // and it waits for another: last_used_ is set
    session,   // somebody else has to go on: become_session()
    over,      // the connection has ended
  };
  // Something has come, and perhaps the end of it: no more than that is ever told twice.
  virtual Next on_readable(bool peer_ended) = 0;
  // Called on one that nobody watches any more, and that is destroyed behind it.
  virtual void become_session() = 0;
  virtual SteadyTime deadline() const = 0;  // as far behind last_used_ for every one

  Connection& connection() { return *connection_; }

 protected:
  friend class KeptConnections;
  std::unique_ptr<Connection> connection_;
  SteadyTime last_used_;
};

class KeptConnections {
 public:
  using OnBug = std::function<void(const char* what)>;  // an exception out of a connection

  KeptConnections(asio::io_context& loop, OnBug on_bug);
  ~KeptConnections();
  KeptConnections(const KeptConnections&) = delete;
  KeptConnections& operator=(const KeptConnections&) = delete;

  void add(std::unique_ptr<KeptConnection> connection);
  void close_expired(SteadyTime now);
  void close_all();
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }  // from any thread

 private:
  bool open();
  void wait();
  void look();
  void serve(KeptConnection& connection, bool peer_ended);
  void hand_over(KeptConnection& connection);
  void end(KeptConnection& connection);
  std::unique_ptr<KeptConnection> take_out(KeptConnection& connection);

  boost::asio::posix::basic_stream_descriptor<LoopExecutor> events_;  // epoll(7): of all of them
  OnBug on_bug_;
  boost::intrusive::list<KeptConnection, boost::intrusive::constant_time_size<false>>
      by_use_;  // owned; oldest first
  std::atomic<std::size_t> size_{0};
};

}  // namespace larder
