// The driver of an HTTP connection: reads requests, has them answered, writes.
#pragma once

#include "server/http/artifact_handler.hpp"
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
  void look(SteadyTime now) override;

 private:
  Task<bool> secure(std::shared_ptr<const TlsContext> tls);
  Task<void> refuse_plain_text();
  Task<void> run(SessionSet& sessions);
  ParseEvent look_for_request();
  Task<bool> wait_for_input();
  AtOnce answer_from_memory(OpenArtifact& artifact);
  Task<void> answer_request();
  Task<void> dispatch(const Target& target);
  Task<void> refuse();

  Context& context_;
  Connection connection_;
  Exchange exchange_;
  bool idle_ = true;
  bool waited_ = true;  // for the others; at first a request is on its way
  SteadyTime header_deadline_ = SteadyTime::max();
  SteadyTime now_;  // when the last answer was ready; SteadyTime() when that is a while ago
  SteadyTime waiting_since_ = SteadyTime::max();  // with a buffer for what comes; max(): it does not
  bool resting_ = false;                          // it shall wait without one
  std::string name_;                              // of the artifact that is asked for; key_ looks at it
  std::optional<KeyView> key_;
};

}  // namespace larder::http
