// The driver of an HTTP connection: reads requests, has them answered, writes.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/memory_answer.hpp"
#include "server/http/target.hpp"
#include "server/runtime/listener.hpp"
#include "server/runtime/session_set.hpp"

namespace larder::http {

class HttpSession final : public Session {
 public:
  HttpSession(Context& context, std::unique_ptr<Connection> connection, Visitor visitor);

  // What a KeptClient leaves to be done.
  struct Begun {
    std::string unread;    // has been read, and nobody has looked at it
    std::string unsent;    // is to be written before anything else
    SteadyTime last_used;  // when the last request was answered
  };
  // Goes on where a KeptClient could not, until the connection ends or becomes one again. The session
  // lives as long as this runs.
  static Task<void> serve(Context& context, SessionSet& sessions, std::unique_ptr<Connection> connection,
                          Admission::Ticket ticket, Visitor visitor, Begun begun);
  // A new connection under TLS, from the first byte on.
  static Task<void> serve_secure(Context& context, SessionSet& sessions,
                                 std::shared_ptr<const TlsContext> tls,
                                 std::unique_ptr<Connection> connection, Admission::Ticket ticket);

  Connection& connection() override { return *connection_; }
  bool idle() const override { return idle_; }
  void look(SteadyTime now) override;

 private:
  Task<bool> secure(std::shared_ptr<const TlsContext> tls);
  Task<void> refuse_plain_text();
  Task<bool> run(SessionSet& sessions);
  bool can_be_kept() const;
  void keep(SessionSet& sessions, Admission::Ticket ticket);
  Task<void> end();
  ParseEvent look_for_request();
  Task<bool> wait_for_input();
  AtOnce try_memory(MemoryAnswer& answer);
  Task<void> answer_request();
  Task<void> dispatch(const Target& target);
  Task<void> refuse();

  Context& context_;
  std::unique_ptr<Connection> connection_;
  Exchange exchange_;
  bool idle_ = true;
  bool waited_ = true;  // for the others; at first a request is on its way
  SteadyTime header_deadline_ = SteadyTime::max();
  SteadyTime last_used_ = std::chrono::steady_clock::now();  // what idle_timeout counts from
  SteadyTime now_;  // when the last answer was ready; SteadyTime() when that is a while ago
  SteadyTime waiting_since_ = SteadyTime::max();  // for a request; max(): it does not
  bool to_be_kept_ = false;  // a KeptClient shall go on: what comes next is likely to be one for it
  bool given_up_ = false;    // the wait for a request, to be kept instead
  std::string name_;         // of the artifact that is asked for
};

}  // namespace larder::http
