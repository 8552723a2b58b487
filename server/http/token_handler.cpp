#include "server/http/token_handler.hpp"

#include "common/access_api.hpp"
#include "server/http/service_handler.hpp"

namespace larder::http {
namespace {

constexpr std::size_t k_most_request = 64 << 10;  // bytes
const std::string k_ledger_key = "@token/";

api::TokenInfo info_of(const TokenRecord& record) {
  api::TokenInfo info;
  info.id = record.id;
  info.name = record.name;
  info.can = to_string(record.rights);
  info.where = to_string(record.where);
  info.created = record.created;
  info.expires = record.expires;
  info.created_by = record.created_by;
  return info;
}

Task<void> answer_json(Exchange& exchange, int status, std::string_view type, const std::string& body) {
  Reply reply(status);
  reply.content_type = type;
  reply.extra = "Cache-Control: no-store\r\n";
  co_await exchange.answer(std::move(reply), body);
}

Task<void> list_tokens(Exchange& exchange) {
  std::string body;
  for (const Authorizer::TokenUse& each : exchange.context().access.tokens()) {
    api::TokenInfo info = info_of(each.record);
    info.last_used = each.last_used;
    body += api::to_json(info) + "\n";
  }
  co_await answer_json(exchange, 200, "application/x-ndjson", body);
}

Result<TokenRecord> wanted_token(const Exchange& exchange, std::string_view text) {
  LARDER_TRY_ASSIGN(const api::TokenRequest request, api::token_request_from_json(text));
  const Context& context = exchange.context();
  for (const std::string& each : request.where.names()) {
    if (context.repository.find_namespace(each) == nullptr)
      return Error(Errc::not_found, "there is no namespace '" + each + "'");
  }
  TokenRecord wanted;
  wanted.name = request.name;
  wanted.rights = request.can;
  wanted.where = request.where.empty() ? NamespaceSet::all() : request.where;
  wanted.expires = request.expires_in == 0 ? 0 : context.clock.now() + request.expires_in;
  wanted.created_by = exchange.actor();
  return wanted;
}

Task<void> create_token(Exchange& exchange) {
  const auto text = co_await read_text(exchange, k_most_request);
  if (!text) co_return co_await exchange.answer_error(text.error());
  const auto wanted = wanted_token(exchange, *text);
  if (!wanted) co_return co_await exchange.answer_error(wanted.error());
  Context& context = exchange.context();
  const auto made =
      co_await context.repository.pool().run(&Authorizer::create_token, &context.access, *wanted);
  if (!made) co_return co_await exchange.answer_error(made.error());
  std::string key = k_ledger_key + wanted->name;
  std::string actor = exchange.actor();
  co_await context.repository.tell_ledger(LedgerAction::grant, std::move(key), std::move(actor));
  api::TokenInfo info = info_of(*wanted);
  info.id = made->id;
  info.created = context.clock.now();
  info.token = made->text;
  const std::string body = api::to_json(info) + "\n";
  co_await answer_json(exchange, 201, "application/json", body);
}

Task<void> revoke_token(Exchange& exchange, const Target& target) {
  const std::string named = query_value(target.query, "token").value_or("");
  Context& context = exchange.context();
  const std::string_view which = named;
  const auto gone = co_await context.repository.pool().run(&Authorizer::revoke_token, &context.access, which);
  if (!gone) co_return co_await exchange.answer_error(gone.error());
  std::string key = k_ledger_key + gone->name;
  std::string actor = exchange.actor();
  co_await context.repository.tell_ledger(LedgerAction::revoke, std::move(key), std::move(actor));
  const std::string body = api::to_json(info_of(*gone)) + "\n";
  co_await answer_json(exchange, 200, "application/json", body);
}

}  // namespace

Task<void> serve_tokens(Exchange& exchange, const Target& target) {
  const Method method = exchange.request().method;
  if (method == Method::get || method == Method::head) co_return co_await list_tokens(exchange);
  if (method == Method::post) co_return co_await create_token(exchange);
  if (method == Method::delete_) co_return co_await revoke_token(exchange, target);
  co_await answer_method_not_allowed(exchange, "GET, HEAD, POST, DELETE");
}

}  // namespace larder::http
