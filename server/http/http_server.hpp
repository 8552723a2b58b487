// The HTTP front end: its listeners, and the sessions of every loop.
#pragma once

#include <memory>
#include <vector>

#include "server/http/exchange.hpp"
#include "server/runtime/listener.hpp"
#include "server/runtime/session_set.hpp"

namespace spdlog {
class logger;
}

namespace larder::http {

class HttpServer {
 public:
  HttpServer(Context& context, LoopGroup& loops, std::shared_ptr<spdlog::logger> log);

  Result<void> listen(const std::vector<Endpoint>& endpoints);
  void start();  // accepts from now on

  void stop_listening();
  void drain();      // sessions end as soon as they have answered
  void close_all();  // sessions end now
  std::size_t sessions() const;

  std::vector<std::string> listener_names() const;  // "127.0.0.1:8480"
  std::uint16_t port(std::size_t listener) const { return listeners_[listener]->port(); }
  const Admission& admission() const { return admission_; }

 private:
  void accept(Socket socket, std::size_t loop, Admission::Ticket ticket);

  Context& context_;
  LoopGroup& loops_;
  std::shared_ptr<spdlog::logger> log_;
  Admission admission_;
  std::vector<std::unique_ptr<SessionSet>> sessions_;  // by loop
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace larder::http
