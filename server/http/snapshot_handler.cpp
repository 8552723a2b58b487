#include "server/http/snapshot_handler.hpp"

#include "common/snapshot_api.hpp"
#include "server/http/access_handler.hpp"
#include "server/http/listing.hpp"
#include "server/http/service_handler.hpp"

namespace larder::http {
namespace {

constexpr std::size_t k_most_names = 64 << 20;  // bytes of a request

Task<void> answer_json(Exchange& exchange, int status, std::string body) {
  Reply reply(status);
  reply.content_type = "application/json";
  body += "\n";
  co_await exchange.answer(std::move(reply), body);
}

Task<void> list_snapshots(Exchange& exchange) {
  Repository& repository = exchange.context().repository;
  auto snapshots = co_await repository.snapshots();
  const Permissions& permissions = exchange.visitor().may();
  std::string body;
  for (api::SnapshotStat& each : snapshots) {
    if (!may_see_snapshot(permissions, repository.spaces_of_snapshot(each.name))) continue;
    std::erase_if(each.namespaces, [&](const api::SnapshotStat::Space& space) {
      return !permissions.may(Right::read, space.name);
    });
    body += api::to_json(each) + "\n";
  }
  Reply reply(200);
  reply.content_type = "application/x-ndjson";
  co_await exchange.answer(std::move(reply), body);
}

Task<void> create_snapshot(Exchange& exchange) {
  const auto text = co_await read_text(exchange, k_most_names);
  if (!text) co_return co_await exchange.answer_error(text.error());
  auto request = api::snapshot_request_from_json(*text);
  if (!request) co_return co_await exchange.answer_error(request.error());
  std::string actor = exchange.actor();
  api::SnapshotRequest wanted = std::move(*request);
  const auto stat =
      co_await exchange.context().repository.create_snapshot(std::move(wanted), std::move(actor));
  if (!stat) co_return co_await exchange.answer_error(stat.error());
  std::string body = api::to_json(*stat);
  co_await answer_json(exchange, 201, std::move(body));
}

}  // namespace

Task<void> serve_snapshots(Exchange& exchange, const Target& target) {
  const Method method = exchange.request().method;
  if (method == Method::get || method == Method::head) co_return co_await list_snapshots(exchange);
  if (method != Method::post && method != Method::delete_)
    co_return co_await answer_method_not_allowed(exchange, "GET, HEAD, POST, DELETE");
  if (method == Method::post) co_return co_await create_snapshot(exchange);
  std::string name = query_value(target.query, "name").value_or("");
  std::string actor = exchange.actor();
  const auto stat = co_await exchange.context().repository.remove_snapshot(std::move(name), std::move(actor));
  if (!stat) co_return co_await exchange.answer_error(stat.error());
  std::string body = api::to_json(*stat);
  co_await answer_json(exchange, 200, std::move(body));
}

Task<void> serve_restore(Exchange& exchange, const Target& target) {
  if (exchange.request().method != Method::post)
    co_return co_await answer_method_not_allowed(exchange, "POST");
  std::string name = query_value(target.query, "name").value_or("");
  std::string actor = exchange.actor();
  const auto result =
      co_await exchange.context().repository.restore_snapshot(std::move(name), std::move(actor));
  if (!result) co_return co_await exchange.answer_error(result.error());
  std::string body = api::to_json(*result);
  co_await answer_json(exchange, 200, std::move(body));
}

Result<api::Listing> list_snapshot(const Exchange& exchange, const Target& target) {
  const Repository& repository = exchange.context().repository;
  const Permissions& permissions = exchange.visitor().may();
  const std::vector<std::string> spaces = repository.spaces_of_snapshot(target.snapshot);
  if (!repository.has_snapshot(target.snapshot) || !may_see_snapshot(permissions, spaces))
    return Error(Errc::not_found, "there is no snapshot " + target.snapshot);
  api::Listing listing;
  listing.path = "/@" + target.snapshot + "/";
  for (const std::string& each : spaces) {
    if (!permissions.may(Right::read, each)) continue;
    api::ListingEntry entry;
    entry.name = each;
    entry.directory = true;
    listing.entries.push_back(std::move(entry));
  }
  return listing;
}

Task<void> serve_snapshot_root(Exchange& exchange, const Target& target) {
  const Request& request = exchange.request();
  if (request.method != Method::get && request.method != Method::head)
    co_return co_await answer_method_not_allowed(exchange, "GET, HEAD, PROPFIND");
  const ListingFormat format = choose_listing_format(request.accept);
  const auto listing = list_snapshot(exchange, target);
  if (!listing) co_return co_await exchange.answer_error(listing.error());
  // As with directories: HEAD tells whether it is there, "*/*" gets no page.
  if (format == ListingFormat::none && request.method == Method::get) {
    const Error missing(Errc::not_found, "there is no snapshot " + target.snapshot);
    co_return co_await exchange.answer_error(missing);
  }
  Reply reply(200);
  reply.content_type = format == ListingFormat::json ? "application/json" : "text/html; charset=utf-8";
  const std::string body =
      format == ListingFormat::json ? api::to_json(*listing) + "\n" : render_listing_html(*listing);
  co_await exchange.answer(std::move(reply), body);
}

}  // namespace larder::http
