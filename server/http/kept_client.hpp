// A client between two requests. What it asks for is answered right here where memory tells
// and the socket takes the answer; HttpSession does the rest.
#pragma once

#include <memory>

#include "server/http/exchange.hpp"
#include "server/http/plain_request.hpp"
#include "server/runtime/listener.hpp"
#include "server/runtime/session_set.hpp"

namespace larder::http {

struct MemoryAnswer;

class KeptClient final : public KeptConnection {
 public:
  KeptClient(Context& context, SessionSet& sessions, std::unique_ptr<Connection> connection,
             Admission::Ticket ticket, Visitor visitor, SteadyTime last_used);

  // A new connection, without TLS.
  static void accept(Context& context, SessionSet& sessions, std::unique_ptr<Connection> connection,
                     Admission::Ticket ticket);

  Next on_readable(bool peer_ended) override;
  void become_session() override;
  SteadyTime deadline() const override;

 private:
  bool answer(std::string_view& unread);
  bool send(const std::string* body);
  bool knows_visitor(std::string_view authorization);
  void tell(const PlainRequest& request, const MemoryAnswer& answer, std::chrono::nanoseconds duration);
  Next end(const ErrorCode& error);

  Context& context_;
  SessionSet& sessions_;
  Admission::Ticket ticket_;
  Visitor visitor_;
};

}  // namespace larder::http
