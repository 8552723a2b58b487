// The driver of an HTTP connection: reads requests, has them answered, writes.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"
#include "server/runtime/listener.hpp"
#include "server/runtime/session_set.hpp"

namespace larder::http {

class HttpSession final : public Session {
 public:
  HttpSession(Context& context, Socket socket);

  // Serves the connection until it ends. The session lives as long as this runs.
  static Task<void> serve(Context& context, SessionSet& sessions, Socket socket, Admission::Ticket ticket);
  // The same under TLS, from the first byte on.
  static Task<void> serve_secure(Context& context, SessionSet& sessions,
                                 std::shared_ptr<const TlsContext> tls, Socket socket,
                                 Admission::Ticket ticket);

  Connection& connection() override { return connection_; }
  bool idle() const override { return idle_; }

 private:
  Task<bool> secure(std::shared_ptr<const TlsContext> tls);
  Task<void> refuse_plain_text();
  Task<void> run(SessionSet& sessions);
  Task<bool> read_header();
  Task<void> answer_request();
  Task<void> dispatch(const Target& target);
  Task<void> refuse();

  Context& context_;
  Connection connection_;
  Exchange exchange_;
  bool idle_ = true;
};

}  // namespace larder::http
