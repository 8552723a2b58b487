// FtpSession, the part about who is behind it and what they may do.
#include "server/ftp/session.hpp"

namespace larder::ftp {

Origin FtpSession::origin() const {
  return connection_.peer().is_loopback() ? Origin::loopback : Origin::elsewhere;
}

Task<Authorizer::Recognition> FtpSession::recognise(const Credentials& credentials) {
  Authorizer& access = context_.access;
  Authorizer::Recognition found = access.recognise(credentials, origin());
  if (found.kind != Authorizer::Recognition::Kind::ask) co_return found;
  auto turn = access.queue_check(connection_.peer_text());
  if (!turn) co_return found;
  const auto hold = access.before_check(connection_.peer_text());
  if (hold.count() > 0) co_await pause(hold);
  constexpr std::chrono::milliseconds k_pause(20);
  const auto give_up = std::chrono::steady_clock::now() + Authorizer::k_longest_wait;
  while (!turn->enter()) {
    const bool over =
        !context_.ready() || !connection_.socket().is_open() || std::chrono::steady_clock::now() > give_up;
    if (over) co_return found;
    co_await pause(k_pause);
  }
  const Origin from = origin();
  found.identity =
      co_await context_.repository.pool().run(&Authorizer::check_password, &access, credentials, from);
  found.kind = Authorizer::Recognition::Kind::unknown;
  if (found.identity) found.kind = Authorizer::Recognition::Kind::known;
  co_return found;
}

// Whoever guesses waits; nobody else does.
Task<void> FtpSession::log_in(const Action& action) {
  Authorizer& access = context_.access;
  // Where nobody can log in, credentials (of a proxy, of a forgotten ~/.netrc) mean nothing.
  if (!access.knows_anybody()) {
    const Action welcome = control_.logged_in_as_nobody();
    co_return say(welcome.code, welcome.text);
  }
  const std::uint64_t version = access.version();
  const Credentials shown(action.user, action.secret);
  const Authorizer::Recognition found = co_await recognise(shown);
  const IdentityPtr& identity = found.identity;
  if (!identity && found.kind == Authorizer::Recognition::Kind::ask) {
    over_ = true;
    co_return say(421, "Too many passwords are being checked; try again in a moment, or use a token");
  }
  if (!identity) {
    const auto delay = access.failed(connection_.peer_text(), shown.user, shown.secret);
    co_await pause(delay);
    const Action refusal = control_.refused();
    say(refusal.code, refusal.text);
    if (refusal.kind == Action::Kind::goodbye) over_ = true;
    co_return;
  }
  credentials_ = shown;
  visitor_.is(identity, shown.secret, version);
  const Action welcome = control_.logged_in_as(identity->name);
  say(welcome.code, welcome.text);
}

// What one has begun to upload, nobody else goes on with.
void FtpSession::end_login() {
  credentials_ = Credentials();
  drop_unfinished();
  if (command_.verb == Verb::rein) data_.close();
}

Task<bool> FtpSession::still_known() {
  Authorizer& access = context_.access;
  if (visitor_.is_known(credentials_.secret, access, context_.clock)) co_return true;
  const std::uint64_t version = access.version();
  IdentityPtr identity = access.without_credentials(connection_.tls_user(), origin());
  if (!credentials_.secret.empty()) {
    const Authorizer::Recognition found = co_await recognise(credentials_);
    identity = found.identity;
  }
  if (!identity) {
    say(421, "The credentials of this session have expired or were revoked");
    co_return false;
  }
  visitor_.is(identity, credentials_.secret, version);
  co_return true;
}

bool FtpSession::sees(const Place& place) const {
  return may().may(Right::read, place.name_space) || may().may(Right::write, place.name_space);
}

bool FtpSession::refuse(Right right, std::string_view path) {
  const Place place = place_of(path);
  const bool in_namespace = place.kind == Place::Kind::name_space || place.kind == Place::Kind::below;
  if (!in_namespace || may().may(right, place.name_space)) return false;
  Need need;
  need.where = Need::Where::space;
  need.right = right;
  need.name_space = place.name_space;
  const Identity& who = visitor_.identity();
  const bool could_log_in = who.name.empty() && context_.access.knows_anybody();
  const int code = could_log_in && right != Right::read ? 532 : 550;
  const std::string asker = who.name.empty() ? "Anonymous" : who.description;
  std::string text = asker + " may not do this: it needs the right to " + larder::describe(need);
  if (could_log_in) text += "; log in with a token that has it as the password";
  if (who.name.empty() && !could_log_in)
    text += "; 'write' and 'access' in larderd.yaml say who has it without logging in";
  say(code, text);
  return true;
}

}  // namespace larder::ftp
