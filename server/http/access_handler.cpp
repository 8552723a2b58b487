#include "server/http/access_handler.hpp"

#include <boost/asio/steady_timer.hpp>

#include "common/artifact_key.hpp"
#include "server/http/requirement.hpp"

namespace larder::http {
namespace {

Origin origin_of(const Exchange& exchange) {
  return exchange.from_loopback() ? Origin::loopback : Origin::elsewhere;
}

// Without a thread; the connection is the one that waits.
Task<void> pause(Exchange& exchange, std::chrono::milliseconds time) {
  if (time.count() <= 0) co_return;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             LoopExecutor>
      timer(exchange.connection().socket().get_executor(), time);
  const auto [error] = co_await timer.async_wait(k_as_outcome);
  (void)error;
}

api::Problem forbidden(int status, std::string detail) {
  api::Problem problem;
  problem.status = status;
  problem.code = name_of(Errc::forbidden);
  problem.detail = std::move(detail);
  return problem;
}

Task<void> answer_forbidden(Exchange& exchange, api::Problem problem) {
  const std::string_view extra = problem.status == 401 ? k_challenge : std::string_view();
  co_await exchange.answer_problem(std::move(problem), extra);
}

enum class Checked { told, busy };  // busy: too many passwords are looked at, or wait for it

// In the disk pool, a few at a time: a flood of passwords must not keep the disk from everybody.
Task<Checked> check_password(Exchange& exchange, const Credentials& credentials, IdentityPtr& identity) {
  Authorizer& access = exchange.context().access;
  const std::string& address = exchange.connection().peer_text();
  auto turn = access.queue_check(address);
  if (!turn) co_return Checked::busy;
  const auto hold = access.before_check(address);
  co_await pause(exchange, hold);
  constexpr std::chrono::milliseconds k_pause(20);
  const auto give_up = std::chrono::steady_clock::now() + Authorizer::k_longest_wait;
  while (!turn->enter()) {
    const bool over = !exchange.context().ready() || !exchange.connection().socket().is_open() ||
                      std::chrono::steady_clock::now() > give_up;
    if (over) co_return Checked::busy;
    co_await pause(exchange, k_pause);
  }
  const Origin origin = origin_of(exchange);
  identity = co_await exchange.context().repository.pool().run(&Authorizer::check_password, &access,
                                                               credentials, origin);
  co_return Checked::told;
}

Task<void> answer_busy(Exchange& exchange) {
  api::Problem problem;
  problem.status = 429;
  problem.code = name_of(Errc::busy);
  problem.detail = "too many passwords are being checked; try again in a moment, or use a token";
  constexpr std::string_view k_later = "Retry-After: 2\r\n";
  co_await exchange.answer_problem(std::move(problem), k_later);
}

Task<void> refuse_credentials(Exchange& exchange, const std::optional<Credentials>& credentials) {
  Authorizer& access = exchange.context().access;
  const std::string user = credentials ? credentials->user : "";
  const std::string secret = credentials ? credentials->secret : exchange.request().authorization;
  const auto delay = access.failed(exchange.connection().peer_text(), user, secret);
  co_await pause(exchange, delay);
  std::string detail =
      credentials ? "these credentials are wrong, have expired or were revoked; without any, what anonymous "
                    "readers may see is still there"
                  : "this Authorization field is neither Basic nor Bearer credentials";
  api::Problem problem = forbidden(401, std::move(detail));
  co_await answer_forbidden(exchange, std::move(problem));
}

}  // namespace

Task<bool> identify(Exchange& exchange) {
  Authorizer& access = exchange.context().access;
  const std::string& shown = exchange.request().authorization;
  const std::uint64_t version = access.version();
  const Origin origin = origin_of(exchange);
  // Where nobody can log in, credentials (of a proxy, of a forgotten ~/.netrc) mean nothing.
  if (shown.empty() || !access.knows_anybody()) {
    exchange.visitor().is(access.without_credentials(exchange.tls_user(), origin), shown, version);
    co_return true;
  }
  const auto credentials = parse_authorization(shown);
  if (credentials && is_anonymous(*credentials)) {
    exchange.visitor().is(access.without_credentials(exchange.tls_user(), origin), shown, version);
    co_return true;
  }
  Authorizer::Recognition found;
  if (credentials) found = access.recognise(*credentials, origin);
  if (found.kind == Authorizer::Recognition::Kind::ask) {
    const Checked checked = co_await check_password(exchange, *credentials, found.identity);
    if (checked == Checked::busy) {
      exchange.visitor().is(access.anonymous(origin), "", version);  // for the log
      co_await answer_busy(exchange);
      co_return false;
    }
  }
  if (!found.identity) {
    exchange.visitor().is(access.without_credentials(exchange.tls_user(), origin), "",
                          version);  // for the log
    co_await refuse_credentials(exchange, credentials);
    co_return false;
  }
  exchange.visitor().is(std::move(found.identity), shown, version);
  co_return true;
}

bool may(const Exchange& exchange, const Target& target) {
  const Permissions& permissions = exchange.visitor().may();
  const Method method = exchange.request().method;
  const bool reads = method == Method::get || method == Method::head;
  // By far the most requests.
  if (reads && target.kind == Target::Kind::artifact) return permissions.may(Right::read, target.name_space);
  if (is_status(target)) {
    switch (exchange.context().access.status()) {
      case StatusAccess::everybody: return true;
      case StatusAccess::users:
        return !exchange.visitor().identity().name.empty() || permissions.may_everywhere(Right::admin);
      case StatusAccess::admin: return permissions.may_everywhere(Right::admin);
    }
  }
  return permissions.may(need_of(method, target));
}

namespace {

std::string closed_to_everybody(const std::string& wanted, bool could_help) {
  const std::string text = "this needs the right to " + wanted + ", which is not open to everybody here; ";
  if (could_help) return text + "show a token that has it (LARDER_TOKEN, ~/.netrc)";
  return text +
         "on the server's machine, 'larderd token create' makes the first token that has it, and 'write' and "
         "'access' in larderd.yaml say who needs none";
}

}  // namespace

api::Problem refusal(const Exchange& exchange, const Need& need) {
  const Identity& who = exchange.visitor().identity();
  const std::string wanted = describe(need);
  if (!who.name.empty())
    return forbidden(403, who.description + " may not do this: it needs " + wanted + ", and has " +
                              describe(who.may) +
                              "; ask whoever runs this server for a token with it (larder token create)");
  // Where nobody can log in, asking for credentials would only bring up a window in a browser.
  const bool could_help = exchange.context().access.knows_anybody();
  return forbidden(could_help ? 401 : 403, closed_to_everybody(wanted, could_help));
}

Task<void> refuse(Exchange& exchange, const Need& need) {
  api::Problem problem = refusal(exchange, need);
  co_await answer_forbidden(exchange, std::move(problem));
}

Task<void> refuse(Exchange& exchange, const Target& target) {
  Need need = need_of(exchange.request().method, target);
  if (is_status(target)) {
    need.where = Need::Where::everywhere;
    need.right = Right::admin;
  }
  co_await refuse(exchange, need);
}

Task<void> refuse_web_page(Exchange& exchange) {
  api::Problem problem = forbidden(
      403,
      "a web page may not change what is stored here; use larder, curl or whatever sends no Origin field");
  co_await answer_forbidden(exchange, std::move(problem));
}

Task<bool> refuse_unless(Exchange& exchange, Right right, std::string_view name_space) {
  Need need;
  need.where = Need::Where::space;
  need.right = right;
  need.name_space = name_space;
  if (exchange.visitor().may().may(need)) co_return false;
  co_await refuse(exchange, need);
  co_return true;
}

Task<bool> refuse_unless_everywhere(Exchange& exchange, Right right) {
  Need need;
  need.where = Need::Where::everywhere;
  need.right = right;
  if (exchange.visitor().may().may(need)) co_return false;
  co_await refuse(exchange, need);
  co_return true;
}

void hide_unreadable(const Exchange& exchange, api::Stat& stat) {
  const Permissions& permissions = exchange.visitor().may();
  if (permissions.sees_all()) return;
  std::erase_if(stat.namespaces,
                [&](const api::NamespaceStat& each) { return !permissions.may(Right::read, each.name); });
  stat.objects = 0;
  stat.logical_bytes = 0;
  stat.physical_bytes = 0;
  stat.data_directory.clear();
  for (const api::NamespaceStat& each : stat.namespaces) {
    stat.objects += each.objects;
    stat.logical_bytes += each.logical_bytes;
    stat.physical_bytes += each.physical_bytes;
  }
}

}  // namespace larder::http
