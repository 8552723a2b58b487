#include "server/hashequiv/session.hpp"

#include <boost/asio/steady_timer.hpp>
#include <vector>

namespace larder::hashequiv {
namespace {

constexpr std::size_t k_read = 64 << 10;  // bytes at a time

}  // namespace

HashservSession::HashservSession(Context& context, SessionSet& sessions,
                                 std::unique_ptr<Connection> connection)
    : context_(context),
      sessions_(sessions),
      connection_(std::move(connection)),
      conversation_(context.shared),
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
  // A connection is kept for a whole build; one whose machine was switched off has to be noticed some day.
  ErrorCode ignored;
  connection_->socket().set_option(asio::socket_base::keep_alive(true), ignored);
  std::vector<char> input;
  while (context_.ready() && !sessions_.draining()) {
    idle_ = conversation_.at_rest();
    connection_->set_deadline(std::chrono::steady_clock::now() + context_.config->hashserv.idle_timeout);
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

Task<bool> HashservSession::carry_on(Conversation::Turn& turn) {
  while (true) {
    for (const std::string& each : turn.troubles) context_.warn(each);
    const bool over = turn.over;
    std::string output = std::move(turn.output);
    const bool sent = co_await send(std::move(output));
    if (over && sent) co_await connection_->finish_sending();
    if (!sent || over) co_return false;
    if (!turn.login) co_return true;
    co_await log_in(turn);
  }
}

Task<bool> HashservSession::send(std::string output) {
  if (output.empty()) co_return true;
  connection_->set_deadline(std::chrono::steady_clock::now() + context_.config->http.body_timeout);
  const ErrorCode error = co_await connection_->write(output);
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
  allowed.read = may.may(Right::read, space);
  allowed.report = may.may(Right::write, space);
  allowed.clean = may.may(Right::remove, space);
  allowed.owner = visitor_.identity().name;
  return allowed;
}

// ------------------------------------------------------------------- login --

Task<void> HashservSession::pause(std::chrono::milliseconds time) {
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             LoopExecutor>
      timer(connection_->socket().get_executor(), time);
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
