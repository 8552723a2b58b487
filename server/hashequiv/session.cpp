#include "server/hashequiv/session.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <vector>

namespace larder::hashequiv {
namespace {

constexpr std::size_t k_read = 64 << 10;             // bytes at a time
constexpr std::size_t k_piece = 64 << 10;            // bytes between two looks at the time
constexpr std::size_t k_large = 1 << 20;             // bytes of an answer
constexpr std::uint64_t k_most_sending = 256 << 20;  // of all of them
constexpr std::chrono::seconds k_longest_greeting(60);
constexpr std::chrono::minutes k_longest_message_time(2);

}  // namespace

HashservSession::HashservSession(Context& context, SessionSet& sessions,
                                 std::unique_ptr<Connection> connection)
    : context_(context),
      sessions_(sessions),
      connection_(std::move(connection)),
      conversation_(context.shared, connection_->peer_text()),
      started_(std::chrono::steady_clock::now()) {
  const std::uint64_t version = context_.access.version();
  visitor_.is(context_.access.without_credentials("", origin()), "", version);
}

Task<void> HashservSession::serve(Context& context, SessionSet& sessions,
                                  std::unique_ptr<Connection> connection, Admission::Ticket ticket) {
  (void)ticket;  // held for as long as the session lives
  if (connection->join_loop()) co_return;
  HashservSession session(context, sessions, std::move(connection));
  const SessionSet::Guard registered(sessions, session);
  co_await session.run();
  session.write_log();
}

Task<void> HashservSession::run() {
  notice_dead_peers();
  std::vector<char> input;
  SteadyTime began = started_;  // to say what is not complete yet
  std::uint64_t heard = 0;
  bool rested = true;
  while (context_.ready() && !sessions_.draining()) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (rested || conversation_.heard() != heard) began = now;
    heard = conversation_.heard();
    rested = conversation_.at_rest();
    idle_ = true;  // what is half said, the client says again elsewhere
    const SteadyTime patience = !conversation_.greeted() ? started_ + k_longest_greeting
                                : rested                 ? now + context_.config->hashserv.idle_timeout
                                                         : began + k_longest_message_time;
    connection_->set_deadline(patience);
    input.resize(k_read);
    const std::span<char> room(input);
    const Connection::ReadOutcome outcome = co_await connection_->read_some(room);
    connection_->set_deadline(SteadyTime::max());
    idle_ = false;
    if (outcome.error) break;
    bytes_in_ += outcome.count;
    const bool known = co_await still_known();
    if (!known) break;
    std::string bytes(input.data(), outcome.count);
    Allowed may = allowed();
    Conversation::Turn turn =
        co_await context_.pool.run(&Conversation::hear, &conversation_, std::move(bytes), std::move(may));
    const bool more = co_await carry_on(turn);
    if (!more) break;
    if (outcome.count < k_read) std::vector<char>().swap(input);  // not kept while idle
  }
  connection_->close();
}

// A connection is kept for a whole build; a machine that was switched off meanwhile says nothing.
void HashservSession::notice_dead_peers() {
  const auto set = [this](int level, int option, int value) {
    (void)::setsockopt(connection_->descriptor(), level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 120);  // seconds of silence, then
  set(IPPROTO_TCP, TCP_KEEPINTVL, 30);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
}

Task<bool> HashservSession::carry_on(Conversation::Turn& turn) {
  while (true) {
    for (const std::string& each : turn.troubles) context_.warn(connection_->peer_text() + ": " + each);
    for (const std::string& each : turn.news) context_.tell(connection_->peer_text() + ": " + each);
    if (!fits(turn.output.size())) co_return false;
    const bool sent = co_await send(turn.output);
    context_.shared.sending.fetch_sub(turn.output.size(), std::memory_order_relaxed);
    if (turn.over && sent) co_await connection_->finish_sending();
    if (!sent || turn.over) co_return false;
    if (turn.login) {
      co_await log_in(turn);
      continue;
    }
    if (!turn.more) co_return true;
    if (!context_.ready() || sessions_.draining()) co_return false;
    turn = co_await context_.pool.run(&Conversation::go_on, &conversation_);
  }
}

// Large answers that nobody reads would take all memory; small ones always go.
bool HashservSession::fits(std::size_t bytes) {
  const std::uint64_t all = context_.shared.sending.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (bytes < k_large || all <= k_most_sending) return true;
  context_.shared.sending.fetch_sub(bytes, std::memory_order_relaxed);
  context_.warn(connection_->peer_text() + ": too many large answers are on their way: one was cut off");
  return false;
}

Task<bool> HashservSession::send(std::string_view output) {
  const HttpConfig& limits = context_.config->http;
  const Pace pace(limits.body_timeout, limits.min_rate.bytes, std::chrono::steady_clock::now());
  ErrorCode error;
  for (std::uint64_t sent = 0; sent < output.size() && !error;) {
    const std::string_view piece = output.substr(sent, k_piece);
    connection_->set_deadline(pace.deadline(sent, std::chrono::steady_clock::now()));
    error = co_await connection_->write(piece);
    sent += piece.size();
  }
  connection_->set_deadline(SteadyTime::max());
  if (!error) bytes_out_ += output.size();
  co_return !error;
}

Origin HashservSession::origin() const {
  return connection_->peer().is_loopback() ? Origin::loopback : Origin::elsewhere;
}

Allowed HashservSession::allowed() const {
  const std::string space = hashserv_namespace(*context_.config);
  const Permissions& may = visitor_.may();
  Allowed allowed;
  // Who reads a lane reads what it overlays.
  const auto reads = [&](const NamespaceConfig& each) {
    return (each.name == space || each.overlay == space) && may.may(Right::read, each.name);
  };
  allowed.read = std::ranges::any_of(context_.config->namespaces, reads);
  allowed.report = may.may(Right::write, space);
  allowed.clean = may.may(Right::remove, space);
  allowed.owner = visitor_.identity().name;
  return allowed;
}

// ------------------------------------------------------------------- login --

// Unless the daemon ends meanwhile.
Task<void> HashservSession::pause(std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds k_step(100);
  const SteadyTime end = std::chrono::steady_clock::now() + time;
  for (SteadyTime now = std::chrono::steady_clock::now(); now < end && context_.ready();
       now = std::chrono::steady_clock::now()) {
    const SteadyTime next = std::min(end, now + k_step);
    co_await pause_until(next);
  }
}

Task<void> HashservSession::pause_until(SteadyTime end) {
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             LoopExecutor>
      timer(connection_->socket().get_executor(), end);
  const auto [error] = co_await timer.async_wait(k_as_outcome);
  (void)error;
}

// No identity: nobody, or (kind ask) nobody had the time to check.
Task<Authorizer::Recognition> HashservSession::recognise(const Credentials& credentials) {
  Authorizer& access = context_.access;
  Authorizer::Recognition found = access.recognise(credentials, origin());
  if (found.kind != Authorizer::Recognition::Kind::ask) co_return found;
  auto turn = access.queue_check(connection_->peer_text());
  if (!turn) co_return found;
  const auto hold = access.before_check(connection_->peer_text());
  if (hold.count() > 0) co_await pause(hold);
  constexpr std::chrono::milliseconds k_pause(20);
  const auto give_up = std::chrono::steady_clock::now() + Authorizer::k_longest_wait;
  while (!turn->enter()) {
    const bool over =
        !context_.ready() || !connection_->socket().is_open() || std::chrono::steady_clock::now() > give_up;
    if (over) co_return found;
    co_await pause(k_pause);
  }
  const Origin from = origin();
  found.identity = co_await context_.pool.run(&Authorizer::check_password, &access, credentials, from);
  found.kind = Authorizer::Recognition::Kind::unknown;
  if (found.identity) found.kind = Authorizer::Recognition::Kind::known;
  co_return found;
}

// Whoever guesses waits; nobody else does.
Task<void> HashservSession::log_in(Conversation::Turn& turn) {
  Authorizer& access = context_.access;
  // Where nobody can log in, credentials mean nothing.
  if (access.knows_anybody()) {
    const std::uint64_t version = access.version();
    const Credentials shown(turn.login->user, turn.login->token);
    const Authorizer::Recognition found = co_await recognise(shown);
    if (!found.identity) {
      const bool too_busy = found.kind == Authorizer::Recognition::Kind::ask;  // the client comes again
      if (!too_busy) {
        const auto delay = access.failed(connection_->peer_text(), shown.user, shown.secret);
        co_await pause(delay);
      }
      turn = too_busy ? Conversation::Turn() : conversation_.refuse_login();
      turn.over = true;
      co_return;
    }
    credentials_ = shown;
    visitor_.is(found.identity, shown.secret, version);
  }
  Allowed may = allowed();
  turn = co_await context_.pool.run(&Conversation::logged_in, &conversation_, std::move(may));
}

Task<bool> HashservSession::still_known() {
  Authorizer& access = context_.access;
  if (visitor_.is_known(credentials_.secret, access, context_.clock)) co_return true;
  const std::uint64_t version = access.version();
  IdentityPtr identity = access.without_credentials("", origin());
  if (!credentials_.secret.empty()) {
    const Authorizer::Recognition found = co_await recognise(credentials_);
    identity = found.identity;
  }
  if (!identity) co_return false;
  visitor_.is(identity, credentials_.secret, version);
  co_return true;
}

void HashservSession::write_log() const {
  if (!context_.access_log.on()) return;
  AccessRecord record;
  record.client = connection_->peer_text();
  record.user = visitor_.identity().name;
  record.protocol = "hashserv";
  record.method = "SESSION";
  record.status = 200;
  record.bytes_in = bytes_in_;
  record.bytes_out = bytes_out_;
  record.duration =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started_);
  context_.access_log.write(record);
}

}  // namespace larder::hashequiv
