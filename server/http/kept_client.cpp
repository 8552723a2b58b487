#include "server/http/kept_client.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>

#include "server/http/memory_answer.hpp"
#include "server/http/session.hpp"

namespace larder::http {
namespace {

constexpr std::size_t k_input = 16 << 10;   // bytes read at once
constexpr std::size_t k_drained = 8 << 10;  // bytes; TLS that has less has taken all that the socket had
constexpr int k_turns = 4;                  // reads before the others of the loop get their turn

// What a client needs only while it is served, and all of a thread share.
struct Scratch {
  std::array<char, k_input> input;
  std::string output;
  std::string name;
  std::string unread;  // for who becomes a session: what was read for nothing,
  std::string unsent;  // and what the socket did not take
};

Scratch& scratch() {
  thread_local Scratch room;
  return room;
}

}  // namespace

KeptClient::KeptClient(Context& context, SessionSet& sessions, std::unique_ptr<Connection> connection,
                       Admission::Ticket ticket, Visitor visitor, SteadyTime last_used)
    : KeptConnection(std::move(connection), last_used),
      context_(context),
      sessions_(sessions),
      ticket_(std::move(ticket)),
      visitor_(std::move(visitor)) {}

void KeptClient::accept(Context& context, SessionSet& sessions, std::unique_ptr<Connection> connection,
                        Admission::Ticket ticket) {
  Visitor visitor = stranger(context, *connection);
  sessions.keep(std::make_unique<KeptClient>(context, sessions, std::move(connection), std::move(ticket),
                                             std::move(visitor), std::chrono::steady_clock::now()));
}

SteadyTime KeptClient::deadline() const {
  return last_used_ + context_.config->http.idle_timeout;
}

KeptConnection::Next KeptClient::on_readable(bool peer_ended) {
  Scratch& room = scratch();
  room.output.clear();
  room.unsent.clear();
  room.unread.clear();
  bool answered = false;
  for (int turn = 0; turn < k_turns; ++turn) {
    const Connection::ReadOutcome outcome = connection_->try_read(room.input);
    if (outcome.error == asio::error::try_again || outcome.error == asio::error::would_block)
      return answered ? Next::answered : Next::nothing;
    if (outcome.error) return end(outcome.error);

    std::string_view unread(room.input.data(), outcome.count);
    const bool sent = answer(unread);
    if (!sent || !unread.empty()) {
      room.unread = unread;
      return Next::session;
    }
    answered = true;
    // Readiness is told once: is there more behind what was read?
    const std::size_t drained = connection_->is_secure() ? k_drained : room.input.size();
    const bool more = peer_ended || outcome.count >= drained || connection_->has_buffered();
    if (!more) return Next::answered;
  }
  return Next::session;
}

// What is answered is cut off the front. False: the socket did not take it all.
bool KeptClient::answer(std::string_view& unread) {
  Scratch& room = scratch();
  const HeaderLimits limits = header_limits(context_);
  SteadyTime asked = std::chrono::steady_clock::now();
  while (!unread.empty() && context_.ready()) {
    const auto request = read_plain_request(unread, limits);
    if (!request || !knows_visitor(request->authorization)) break;
    MemoryAnswer answer;
    AnswerForm form;
    form.files = AnswerForm::Files::no;
    if (answer_from_memory(context_, visitor_.may(), *request, form, room.name, room.output, answer) ==
        AtOnce::no)
      break;
    unread.remove_prefix(request->size);
    // A body is sent now; heads wait for those of further requests that have come.
    const bool much = answer.body || room.output.size() > k_gathered;
    const bool sent = !much || send(answer.body.get());
    last_used_ = std::chrono::steady_clock::now();
    tell(*request, answer, last_used_ - asked);
    asked = last_used_;
    if (!sent) return false;
  }
  return send(nullptr);
}

// What was gathered, and a body behind it.
bool KeptClient::send(const std::string* body) {
  Scratch& room = scratch();
  const std::string_view behind = body != nullptr ? std::string_view(*body) : std::string_view();
  if (room.output.empty() && behind.empty()) return true;
  const std::size_t taken = connection_->try_write(room.output, behind);
  if (taken < room.output.size() + behind.size()) {
    room.unsent = std::string_view(room.output).substr(std::min(taken, room.output.size()));
    room.unsent += behind.substr(taken - std::min(taken, room.output.size()));
  }
  room.output.clear();
  return room.unsent.empty();
}

bool KeptClient::knows_visitor(std::string_view authorization) {
  if (visitor_.is_known(authorization, context_.access, context_.clock)) return true;
  if (!authorization.empty()) return false;
  visitor_ = stranger(context_, *connection_);
  return true;
}

void KeptClient::tell(const PlainRequest& request, const MemoryAnswer& answer,
                      std::chrono::nanoseconds duration) {
  context_.latency.observe(Latency::Kind::read, duration);
  if (!context_.access_log.on()) return;
  AccessRecord record;
  record.client = connection_->peer_text();
  record.user = visitor_.identity().name;
  record.protocol = connection_->is_secure() ? "https" : "http";
  record.method = name_of(request.method);
  record.name_space = answer.key->name_space();
  record.name = request.target;
  record.status = answer.status;
  record.outcome = answer.outcome;
  record.bytes_out = answer.bytes_out;
  record.duration = std::chrono::duration_cast<std::chrono::microseconds>(duration);
  context_.access_log.write(record);
}

// A session can wait until the end has been said.
KeptConnection::Next KeptClient::end(const ErrorCode& error) {
  const bool said = error != asio::error::eof || connection_->say_end();
  return said ? Next::over : Next::session;
}

void KeptClient::become_session() {
  if (connection_->join_loop()) return;
  Scratch& room = scratch();
  HttpSession::Begun begun{std::move(room.unread), std::move(room.unsent), last_used_};
  sessions_.spawn(HttpSession::serve(context_, sessions_, std::move(connection_), std::move(ticket_),
                                     std::move(visitor_), std::move(begun)));
}

}  // namespace larder::http
