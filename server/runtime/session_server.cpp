#include "server/runtime/session_server.hpp"

#include <boost/asio/post.hpp>

namespace larder {

SessionServer::SessionServer(LoopGroup& loops, Limits limits, OnBug on_bug)
    : loops_(loops), admission_(limits.in_all, limits.per_address) {
  for (std::size_t i = 0; i < loops.size(); ++i)
    sessions_.push_back(std::make_unique<SessionSet>(loops.at(i), on_bug));
}

Result<void> SessionServer::listen(ListeningSocket socket, Serve serve) {
  auto on_connection = [this, serve = std::move(serve)](std::unique_ptr<Connection> connection,
                                                        std::size_t loop, Admission::Ticket ticket) {
    accept(serve, std::move(connection), loop, std::move(ticket));
  };
  LARDER_TRY_ASSIGN(auto listener,
                    Listener::open(loops_, std::move(socket), admission_, std::move(on_connection)));
  listeners_.push_back(std::move(listener));
  return {};
}

void SessionServer::start() {
  for (std::size_t i = 0; i < sessions_.size(); ++i)
    asio::post(loops_.at(i), [set = sessions_[i].get()] { set->start(); });
  for (auto& listener : listeners_) listener->start();
}

void SessionServer::accept(const Serve& serve, std::unique_ptr<Connection> connection, std::size_t loop,
                           Admission::Ticket ticket) {
  if (sessions_[loop]->draining()) return;
  serve(*sessions_[loop], std::move(connection), std::move(ticket));
}

void SessionServer::stop_listening() {
  for (auto& listener : listeners_) listener->stop();
}

void SessionServer::drain() {
  for (std::size_t i = 0; i < sessions_.size(); ++i)
    asio::post(loops_.at(i), [set = sessions_[i].get()] { set->drain(); });
}

void SessionServer::close_all() {
  for (std::size_t i = 0; i < sessions_.size(); ++i)
    asio::post(loops_.at(i), [set = sessions_[i].get()] { set->close_all(); });
}

std::size_t SessionServer::sessions() const {
  std::size_t count = 0;
  for (const auto& set : sessions_) count += set->size();
  return count;
}

std::vector<std::string> SessionServer::listener_names() const {
  std::vector<std::string> names;
  for (const auto& listener : listeners_) names.push_back(listener->name());
  return names;
}

}  // namespace larder
