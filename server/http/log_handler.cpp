#include "server/http/log_handler.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "common/artifact_key.hpp"
#include "common/log_line.hpp"

namespace larder::http {
namespace {

constexpr std::size_t k_page = 1024;  // lines read from the index at once

struct LogRequest {
  LedgerQuery query;
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
};

Result<std::optional<std::uint64_t>> number_in(std::string_view query, std::string_view name) {
  const auto text = query_value(query, name);
  if (!text || text->empty()) return std::optional<std::uint64_t>();
  std::uint64_t number = 0;
  const char* const last = text->data() + text->size();
  const auto [end, failure] = std::from_chars(text->data(), last, number);
  constexpr auto k_most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (failure != std::errc() || end != last || number > k_most)
    return Error(Errc::invalid_argument, "?" + std::string(name) + "= takes a number, not '" + *text + "'");
  return std::optional(number);
}

Result<LogRequest> parse_log_request(std::string_view query) {
  LogRequest request;
  request.query.name_space = query_value(query, "namespace").value_or("");
  request.query.match = query_value(query, "match").value_or("");
  request.query.actor = query_value(query, "actor").value_or("");
  const std::string action = query_value(query, "action").value_or("");
  if (!action.empty()) {
    request.query.action = ledger_action(action);
    if (!request.query.action)
      return Error(Errc::invalid_argument,
                   "there is no action '" + action + "' in the ledger; there are " + ledger_actions());
  }
  LARDER_TRY_ASSIGN(const auto since, number_in(query, "since"));
  LARDER_TRY_ASSIGN(const auto until, number_in(query, "until"));
  LARDER_TRY_ASSIGN(const auto limit, number_in(query, "limit"));
  if (since) request.query.since = static_cast<UnixSeconds>(*since);
  if (until) request.query.until = static_cast<UnixSeconds>(*until);
  if (limit) request.limit = *limit;
  return request;
}

// Whether a line is about a namespace that the reader looks after; what is about none (a snapshot,
// a pattern) is for who looks after all.
bool may_see(const Permissions& may, std::string_view key) {
  const auto slash = key.find('/');
  const std::string_view name_space = key.substr(0, slash);
  const bool about_one = slash != std::string_view::npos && is_namespace_name(name_space);
  return about_one ? may.may(Right::remove, name_space) : may.may_everywhere(Right::remove);
}

// `shown`: how many lines of the page.
std::string to_text(const Store::LedgerPage& page, const Permissions& may, std::size_t& shown) {
  std::string text;
  for (const Store::LedgerLine& each : page.lines) {
    if (!may_see(may, each.record.key)) continue;
    ++shown;
    api::LogLine line;
    line.sequence = each.sequence;
    line.time = each.record.time;
    line.action = name_of(each.record.action);
    line.name = each.record.key;
    line.size = each.record.size;
    line.digest = each.record.digest == Digest() ? "" : each.record.digest.hex();
    line.actor = each.record.actor;
    line.why = each.record.why;
    text.append(api::to_json(line)).append("\n");
  }
  return text;
}

}  // namespace

Task<void> serve_log(Exchange& exchange, const Target& target) {
  Repository& repository = exchange.context().repository;
  auto request = parse_log_request(target.query);
  if (!request) co_return co_await exchange.answer_error(request.error());
  const Permissions may = exchange.visitor().may();  // for as long as the answer takes
  Reply reply(200);
  reply.content_type = "application/x-ndjson";
  co_await exchange.begin_stream(std::move(reply));
  if (exchange.request().method == Method::head) co_return co_await exchange.end_stream();

  std::uint64_t below = repository.generation() + 1;
  std::uint64_t wanted = request->limit;
  for (bool more = wanted > 0; more;) {
    LedgerQuery query = request->query;
    const std::size_t count = std::min<std::uint64_t>(wanted, k_page);
    const auto page = co_await repository.ledger(std::move(query), below, count);
    if (!page || !exchange.context().ready()) co_return exchange.abort();
    std::size_t shown = 0;
    const std::string text = to_text(*page, may, shown);
    const bool sent = co_await exchange.stream(text);
    if (!sent) co_return;
    below = page->reached;
    wanted -= shown;
    more = page->more && wanted > 0;
  }
  co_await exchange.end_stream();
}

}  // namespace larder::http
