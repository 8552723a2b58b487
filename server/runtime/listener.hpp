// Accepts connections on one address and deals them out to the loops in turn:
// with a handful of builders, SO_REUSEPORT would leave loops idle by chance.
// Admission is decided here: connections over the limits are closed unanswered.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "common/result.hpp"
#include "server/runtime/connection.hpp"
#include "server/runtime/listening_socket.hpp"
#include "server/runtime/loop_group.hpp"

namespace larder {

// Counts connections, in all and by peer address. Thread-safe.
class Admission {
 public:
  Admission(std::uint32_t in_all, std::uint32_t per_address) : in_all_(in_all), per_address_(per_address) {}

  // One admitted connection, until it is destroyed.
  class Ticket {
   public:
    Ticket(Admission& admission, const asio::ip::address& peer) : admission_(&admission), peer_(peer) {}
    Ticket(Ticket&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)), peer_(other.peer_) {}
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket();

   private:
    Admission* admission_;
    asio::ip::address peer_;
  };

  std::optional<Ticket> admit(const asio::ip::address& peer);
  std::size_t admitted() const;
  std::uint64_t refused() const;  // since the start

 private:
  void leave(const asio::ip::address& peer);

  const std::uint32_t in_all_;
  const std::uint32_t per_address_;
  mutable std::mutex mutex_;
  std::size_t admitted_ = 0;
  std::uint64_t refused_ = 0;
  std::map<asio::ip::address, std::uint32_t> by_peer_;
};

class Listener {
 public:
  // Called on the connection's loop, which does not know it yet: see Connection::join_loop().
  using OnConnection =
      std::function<void(std::unique_ptr<Connection> connection, std::size_t loop, Admission::Ticket ticket)>;

  static Result<std::unique_ptr<Listener>> open(LoopGroup& loops, ListeningSocket socket,
                                                Admission& admission, OnConnection on_connection);

  std::uint16_t port() const { return port_; }
  const std::string& name() const { return name_; }  // "127.0.0.1:8480"
  void start();
  // Waits for the loop when it was started, from another thread; no connection is accepted afterwards.
  void stop();

 private:
  using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, LoopExecutor>;
  using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                           asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;
  Listener(LoopGroup& loops, Acceptor acceptor, std::string name, std::uint16_t port, Admission& admission,
           OnConnection on_connection);

  void wait();
  void accept_all();
  void pause();
  void hand_over(Descriptor accepted, const asio::ip::address& peer);

  LoopGroup& loops_;
  Acceptor acceptor_;
  Timer pause_timer_;
  const std::string name_;
  const std::uint16_t port_;
  Admission& admission_;
  OnConnection on_connection_;
  std::size_t next_loop_ = 0;
  bool started_ = false;
};

}  // namespace larder
