// The front door of one protocol: its listeners, and the sessions of every loop.
// What a session does with its connection is the protocol's business; this class
// admits, starts, counts, drains and closes them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/runtime/listener.hpp"
#include "server/runtime/session_set.hpp"

namespace larder {

class SessionServer {
 public:
  struct Limits {
    std::uint32_t in_all = 0;       // connections at a time
    std::uint32_t per_address = 0;  // of them, from one peer
  };
  using OnBug = SessionSet::OnBug;  // any loop

  SessionServer(LoopGroup& loops, Limits limits, OnBug on_bug);

  // Begins to serve a connection, in a session or kept until its first request; called on its loop.
  using Serve = std::function<void(SessionSet& sessions, std::unique_ptr<Connection> connection,
                                   Admission::Ticket ticket)>;
  Result<void> listen(ListeningSocket socket, Serve serve);
  void start();  // accepts from now on

  void stop_listening();
  void drain();      // sessions end as soon as they have answered
  void close_all();  // sessions end now
  // Connections that are not over: from accept on, before a session has begun to run.
  bool idle() const { return sessions() == 0 && admission_.admitted() == 0; }
  std::size_t sessions() const;

  std::vector<std::string> listener_names() const;  // "127.0.0.1:8480"
  std::uint16_t port(std::size_t listener) const { return listeners_[listener]->port(); }

 private:
  void accept(const Serve& serve, std::unique_ptr<Connection> connection, std::size_t loop,
              Admission::Ticket ticket);

  LoopGroup& loops_;
  Admission admission_;
  std::vector<std::unique_ptr<SessionSet>> sessions_;  // by loop
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace larder
