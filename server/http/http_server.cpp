#include "server/http/http_server.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "server/http/session.hpp"

namespace larder::http {

HttpServer::HttpServer(Context& context, LoopGroup& loops, std::shared_ptr<spdlog::logger> log)
    : context_(context),
      loops_(loops),
      log_(std::move(log)),
      admission_(context.config->http.max_connections, context.config->http.max_connections_per_address) {
  for (std::size_t i = 0; i < loops.size(); ++i)
    sessions_.push_back(std::make_unique<SessionSet>(loops.at(i)));
}

Result<void> HttpServer::listen(const std::vector<Endpoint>& endpoints) {
  for (const Endpoint& endpoint : endpoints) {
    auto listener = Listener::open(loops_, endpoint.address, endpoint.port, admission_,
                                   [this](Socket socket, std::size_t loop, Admission::Ticket ticket) {
                                     accept(std::move(socket), loop, std::move(ticket));
                                   });
    if (!listener) return listener.error();
    listeners_.push_back(std::move(*listener));
  }
  return {};
}

void HttpServer::start() {
  for (std::size_t i = 0; i < sessions_.size(); ++i)
    asio::post(loops_.at(i), [set = sessions_[i].get()] { set->start(); });
  for (auto& listener : listeners_) listener->start();
}

void HttpServer::accept(Socket socket, std::size_t loop, Admission::Ticket ticket) {
  if (sessions_[loop]->draining()) return;
  auto session = HttpSession::serve(context_, *sessions_[loop], std::move(socket), std::move(ticket));
  asio::co_spawn(loops_.at(loop).get_executor(), std::move(session),
                 [log = log_](std::exception_ptr failure) {
                   if (!failure) return;
                   try {
                     std::rethrow_exception(failure);
                   } catch (const std::exception& bug) {
                     log->error("a connection ended by a bug in larderd: {}", bug.what());
                   }
                 });
}

void HttpServer::stop_listening() {
  for (auto& listener : listeners_) listener->stop();
}

void HttpServer::drain() {
  for (std::size_t i = 0; i < sessions_.size(); ++i)
    asio::post(loops_.at(i), [set = sessions_[i].get()] { set->drain(); });
}

void HttpServer::close_all() {
  for (std::size_t i = 0; i < sessions_.size(); ++i)
    asio::post(loops_.at(i), [set = sessions_[i].get()] { set->close_all(); });
}

std::size_t HttpServer::sessions() const {
  std::size_t count = 0;
  for (const auto& set : sessions_) count += set->size();
  return count;
}

std::vector<std::string> HttpServer::listener_names() const {
  std::vector<std::string> names;
  for (const auto& listener : listeners_) names.push_back(listener->name());
  return names;
}

}  // namespace larder::http
