#include "server/http/session.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "common/name_list.hpp"
#include "server/http/access_handler.hpp"
#include "server/http/artifact_handler.hpp"
#include "server/http/kept_client.hpp"
#include "server/http/listing.hpp"
#include "server/http/memory_answer.hpp"
#include "server/http/requirement.hpp"
#include "server/http/service_handler.hpp"
#include "server/http/snapshot_handler.hpp"
#include "server/http/target.hpp"
#include "server/http/webdav_handler.hpp"

namespace larder::http {

HttpSession::HttpSession(Context& context, std::unique_ptr<Connection> connection, Visitor visitor)
    : context_(context),
      connection_(std::move(connection)),
      exchange_(context, *connection_, std::move(visitor)) {}

Task<void> HttpSession::serve(Context& context, SessionSet& sessions, std::unique_ptr<Connection> connection,
                              Admission::Ticket ticket, Visitor visitor, Begun begun) {
  HttpSession session(context, std::move(connection), std::move(visitor));
  session.last_used_ = begun.last_used;
  session.idle_ = begun.unread.empty() && begun.unsent.empty();
  session.exchange_.input_.put(begun.unread);
  session.exchange_.output_ = std::move(begun.unsent);
  const SessionSet::Guard registered(sessions, session);
  const bool kept = co_await session.run(sessions);
  if (kept) session.keep(sessions, std::move(ticket));
}

Task<void> HttpSession::serve_secure(Context& context, SessionSet& sessions,
                                     std::shared_ptr<const TlsContext> tls,
                                     std::unique_ptr<Connection> connection, Admission::Ticket ticket) {
  if (connection->join_loop()) co_return;
  Visitor visitor = stranger(context, *connection);
  HttpSession session(context, std::move(connection), std::move(visitor));
  const SessionSet::Guard registered(sessions, session);
  const bool secured = co_await session.secure(std::move(tls));
  if (!secured) co_return;
  const bool kept = co_await session.run(sessions);
  if (kept) session.keep(sessions, std::move(ticket));
}

void HttpSession::keep(SessionSet& sessions, Admission::Ticket ticket) {
  auto client = std::make_unique<KeptClient>(context_, sessions, std::move(connection_), std::move(ticket),
                                             std::move(exchange_.visitor_), last_used_);
  sessions.keep(std::move(client));
}

Task<bool> HttpSession::secure(std::shared_ptr<const TlsContext> tls) {
  if (!tls) co_return false;
  connection_->set_deadline(std::chrono::steady_clock::now() + context_.config->tls.handshake_timeout);
  std::string scope = "http";
  const Connection::Secured outcome =
      co_await connection_->secure(std::move(tls), std::move(scope), Connection::Tickets::no);
  if (outcome == Connection::Secured::plain_text) co_await refuse_plain_text();
  if (outcome == Connection::Secured::yes) exchange_.visitor_ = stranger(context_, *connection_);
  co_return outcome == Connection::Secured::yes;
}

// Somebody wrote http:// where https:// belongs.
Task<void> HttpSession::refuse_plain_text() {
  api::Problem problem;
  problem.status = 400;
  problem.code = name_of(Errc::invalid_argument);
  problem.detail = "this port speaks TLS: begin with https://";
  const std::string body = api::to_json(problem) + "\n";
  const std::string answer =
      "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
  const ErrorCode error = co_await connection_->write(answer);
  if (error) co_return;
  constexpr std::chrono::seconds k_patience(5);
  co_await connection_->linger(k_patience);
}

// True: the connection is between two requests, and whoever keeps it can go on.
Task<bool> HttpSession::run(SessionSet& sessions) {
  while (true) {
    const ParseEvent event = look_for_request();
    if (event == ParseEvent::failed) {
      co_await refuse();
      break;
    }
    if (event == ParseEvent::need_more) {
      // Answers go out before anything is waited for.
      bool flushed = exchange_.flush_now();
      if (!flushed) flushed = co_await exchange_.flush();
      if (!flushed) break;
      // What OpenSSL has taken from the socket, nobody would be told of.
      if (can_be_kept() && !connection_->has_buffered()) co_return true;
      // The other connections first: until they had their turn, more has come, where many are busy.
      // Asking at once would find nothing, and cost a system call and a wait.
      if (!waited_) {
        const LoopExecutor executor = connection_->socket().get_executor();
        co_await asio::post(executor, k_as_task);
      }
      const bool more = co_await wait_for_input();
      waited_ = false;
      if (!more && can_be_kept()) co_return true;
      if (!more) break;
      continue;
    }
    exchange_.begin(std::chrono::steady_clock::now());
    connection_->set_deadline(SteadyTime::max());  // every wait for the peer sets its own
    MemoryAnswer answer;
    const AtOnce done = try_memory(answer);
    if (done == AtOnce::no) co_await answer_request();
    if (done == AtOnce::have_file) co_await answer_whole(exchange_, *answer.key, answer.artifact);
    if (done == AtOnce::answered) exchange_.answered(std::move(answer));
    to_be_kept_ = done == AtOnce::answered;
    // A body is sent now; heads wait for those of further requests that have come.
    const bool much = exchange_.body_ || exchange_.output_.size() > k_gathered;
    if (much && !exchange_.flush_now()) co_await exchange_.flush();
    now_ = last_used_ = exchange_.finish();
    if (exchange_.broken_) break;
    if (!exchange_.keep_alive_ || sessions.draining()) {
      co_await exchange_.flush();
      break;
    }
    waited_ = false;
    exchange_.parser_.reset();
    exchange_.input_.shrink();
    header_deadline_ = SteadyTime::max();
  }
  co_await end();
  co_return false;
}

// Between two requests, when the next is likely to be one that needs no session.
bool HttpSession::can_be_kept() const {
  return to_be_kept_ && !exchange_.broken_ && !exchange_.has_output() && exchange_.parser_.idle() &&
         exchange_.input_.unread().empty() && context_.ready();
}

Task<void> HttpSession::end() {
  // Closed with bytes unread, the socket is reset, and what of the answer is still
  // on its way is lost (RFC 9112, section 9.6).
  const bool unread = !exchange_.input_.unread().empty() || connection_->has_unread();
  if ((exchange_.linger_ || unread) && !exchange_.broken_) {
    constexpr std::chrono::seconds k_patience(5);
    co_await connection_->linger(k_patience);
  } else if (connection_->is_secure() && (!exchange_.broken_ || exchange_.ended_)) {
    connection_->set_deadline(std::chrono::steady_clock::now() + context_.config->http.body_timeout);
    co_await connection_->finish_sending();
  }
  connection_->close();
}

// As far as what has arrived tells.
ParseEvent HttpSession::look_for_request() {
  InputBuffer& input = exchange_.input_;
  while (!input.unread().empty()) {
    const ParseStep step = exchange_.parser_.feed(input.unread());
    input.consume(step.consumed);
    if (step.event == ParseEvent::header) idle_ = false;
    if (step.event == ParseEvent::header || step.event == ParseEvent::failed) return step.event;
  }
  return ParseEvent::need_more;
}

// False: the connection is over, or the wait was given up.
Task<bool> HttpSession::wait_for_input() {
  const HttpConfig& limits = context_.config->http;
  if (now_ == SteadyTime()) now_ = std::chrono::steady_clock::now();
  idle_ = exchange_.parser_.idle();
  // From its first byte on a header has one deadline, however it trickles.
  if (!idle_ && header_deadline_ == SteadyTime::max()) header_deadline_ = now_ + limits.header_timeout;
  connection_->set_deadline(idle_ ? last_used_ + limits.idle_timeout : header_deadline_);
  if (idle_ && !context_.ready()) co_return false;
  waiting_since_ = now_;
  now_ = SteadyTime();  // time passes
  bool more = !exchange_.broken_;
  if (more) more = co_await exchange_.fill();
  waiting_since_ = SteadyTime::max();
  // The wait was given up, and nothing else happened.
  const bool given_up =
      std::exchange(given_up_, false) && !exchange_.ended_ && connection_->descriptor() >= 0;
  if (!more && given_up) exchange_.broken_ = false;
  co_return more;
}

// Nothing for a while: what it takes to serve a request is given back until there is one.
void HttpSession::look(SteadyTime now) {
  constexpr std::chrono::seconds k_patience(3);
  if (!idle_ || given_up_ || waiting_since_ == SteadyTime::max() || now - waiting_since_ < k_patience) return;
  to_be_kept_ = true;
  given_up_ = true;
  connection_->stop_waiting();
}

Task<void> HttpSession::refuse() {
  const Refusal& refusal = exchange_.parser_.refusal();
  exchange_.begin(std::chrono::steady_clock::now());
  exchange_.keep_alive_ = false;
  exchange_.linger_ = true;
  api::Problem problem;
  problem.status = refusal.status;
  problem.code = name_of(Errc::invalid_argument);
  problem.detail = refusal.reason;
  Reply reply(refusal.status);
  reply.content_type = "application/problem+json";
  const std::string body = api::to_json(problem) + "\n";
  exchange_.answer_now(std::move(reply), body);
  co_await exchange_.flush();
  exchange_.finish();
}

namespace {

// Answered whatever credentials come with it: a load balancer's check.
bool is_open(const Target& target) {
  return target.kind == Target::Kind::admin && target.path == api::k_health;
}

}  // namespace

// The two ways to an artifact: this one for what memory can tell, answer_request() for everything.
AtOnce HttpSession::try_memory(MemoryAnswer& answer) {
  const Request& request = exchange_.request();
  if (request.method != Method::get && request.method != Method::head) return AtOnce::no;
  if (request.has_body() || request.is_conditional()) return AtOnce::no;
  if (!exchange_.knows_visitor()) return AtOnce::no;  // who it is, may have to be asked elsewhere
  PlainRequest plain;
  plain.method = request.method;
  plain.target = request.target;
  plain.accept = request.accept;
  AnswerForm form;
  form.version = request.version;
  form.keep_alive = exchange_.keep_alive_ ? KeepAlive::yes : KeepAlive::no;
  const AtOnce done =
      answer_from_memory(context_, exchange_.visitor().may(), plain, form, name_, exchange_.output_, answer);
  if (done != AtOnce::no) exchange_.set_artifact(*answer.key);
  return done;
}

Task<void> HttpSession::answer_request() {
  const Request& request = exchange_.request();
  if (request.method == Method::options && request.target == "*") co_return co_await serve_options(exchange_);
  const auto target = parse_target(request.target);
  if (!target) co_return co_await exchange_.answer_error(target.error());
  if (!exchange_.knows_visitor() && !is_open(*target)) {
    const bool known = co_await identify(exchange_);
    if (!known) co_return;
    exchange_.set_identified();
  }
  if (is_change_by_web_page(request)) co_return co_await refuse_web_page(exchange_);
  if (!may(exchange_, *target)) co_return co_await http::refuse(exchange_, *target);
  if (request.method == Method::get || request.method == Method::head) co_await exchange_.settle_body();
  co_await dispatch(*target);
}

Task<void> HttpSession::dispatch(const Target& target) {
  const Method method = exchange_.request().method;
  if (method == Method::options) co_return co_await serve_options(exchange_);
  const bool below_namespace = target.kind == Target::Kind::artifact || target.kind == Target::Kind::listing;
  if (method == Method::mkcol && below_namespace) co_return co_await serve_mkcol(exchange_, target);
  const bool listed = method == Method::propfind && target.kind != Target::Kind::admin;
  if (listed) co_return co_await serve_propfind(exchange_, target);
  switch (target.kind) {
    case Target::Kind::root: co_return co_await serve_root(exchange_);
    case Target::Kind::listing: co_return co_await serve_listing(exchange_, target);
    case Target::Kind::admin: co_return co_await serve_admin(exchange_, target);
    case Target::Kind::snapshot: co_return co_await serve_snapshot_root(exchange_, target);
    case Target::Kind::artifact: break;
  }
  if (target.path == k_name_list && method != Method::put)  // the store says why it cannot be stored
    co_return co_await serve_index(exchange_, target);
  const bool understood =
      method == Method::get || method == Method::head || method == Method::put || method == Method::delete_;
  if (!understood)
    co_return co_await answer_method_not_allowed(exchange_,
                                                 "GET, HEAD, PUT, DELETE, OPTIONS, MKCOL, PROPFIND");
  const auto key = target.key();
  if (!key) co_return co_await exchange_.answer_error(key.error());
  co_await serve_artifact(exchange_, *key);
}

}  // namespace larder::http
