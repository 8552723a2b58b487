#include "server/http/webdav_handler.hpp"

#include "server/http/access_handler.hpp"
#include "server/http/multistatus.hpp"
#include "server/http/service_handler.hpp"
#include "server/http/snapshot_handler.hpp"

namespace larder::http {
namespace {

bool has_namespace(const Exchange& exchange, const Target& target) {
  return exchange.context().repository.find_namespace(target.name_space) != nullptr;
}

Task<void> answer_no_namespace(Exchange& exchange, const Target& target) {
  const Error missing(Errc::not_found, "there is no namespace " + target.name_space);
  co_await exchange.answer_error(missing);
}

Task<void> answer_multistatus(Exchange& exchange, std::string xml) {
  Reply reply(207);
  reply.content_type = "application/xml; charset=utf-8";
  co_await exchange.answer(std::move(reply), xml);
}

Task<void> answer_too_deep(Exchange& exchange) {
  Reply reply(403);
  reply.content_type = "application/xml; charset=utf-8";
  constexpr std::string_view k_xml =
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
      "<D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>\n";
  co_await exchange.answer(std::move(reply), k_xml);
}

// The artifact of this name, and where it lies.
Task<Result<std::string>> describe_artifact(Exchange& exchange, const ArtifactKey& key) {
  const auto found = co_await exchange.context().repository.stat(key);
  if (!found) co_return found.error();
  api::ListingEntry entry;
  entry.name = key.file_name();
  entry.size = found->size;
  entry.stored = found->stored;
  entry.digest = found->digest.hex();
  std::string directory = "/" + key.str();
  directory.resize(directory.size() - entry.name.size());
  co_return render_multistatus(directory, entry);
}

Task<Result<api::Listing>> find_directory(Exchange& exchange, const Target& target) {
  if (target.kind == Target::Kind::root) co_return list_namespaces(exchange);
  if (target.kind == Target::Kind::snapshot) co_return list_snapshot(exchange, target);
  auto listing = co_await read_directory(exchange, target);
  if (listing || listing.error().code() != Errc::not_found || !target.trailing_slash) co_return listing;
  const bool empty = co_await may_be_directory(exchange, target);
  if (!empty) co_return listing;
  api::Listing nothing;
  nothing.path = "/" + target.name_space + "/" + target.path + "/";
  co_return nothing;
}

std::string render(const api::Listing& listing, Depth depth) {
  return render_multistatus(listing, depth);
}

}  // namespace

Task<bool> may_be_directory(Exchange& exchange, const Target& target) {
  if (target.path.empty()) co_return true;
  const auto key = target.key();
  if (!key) co_return false;
  const auto artifact = co_await exchange.context().repository.stat(*key);
  co_return !artifact && artifact.error().code() == Errc::not_found;
}

Task<void> serve_mkcol(Exchange& exchange, const Target& target) {
  if (!has_namespace(exchange, target)) co_return co_await answer_no_namespace(exchange, target);
  Reply reply(201);
  co_await exchange.answer(std::move(reply), k_no_body);
}

Task<void> serve_propfind(Exchange& exchange, const Target& target) {
  const auto depth = parse_depth(exchange.request().depth);
  if (!depth) co_return co_await answer_too_deep(exchange);
  const bool in_namespace = target.kind == Target::Kind::artifact || target.kind == Target::Kind::listing;
  if (in_namespace && !has_namespace(exchange, target))
    co_return co_await answer_no_namespace(exchange, target);
  if (target.kind == Target::Kind::artifact) {
    const auto key = target.key();
    if (!key) co_return co_await exchange.answer_error(key.error());
    auto described = co_await describe_artifact(exchange, *key);
    if (described) {
      std::string xml = std::move(*described);
      co_return co_await answer_multistatus(exchange, std::move(xml));
    }
    if (described.error().code() != Errc::not_found)
      co_return co_await exchange.answer_error(described.error());
  }
  const auto listing = co_await find_directory(exchange, target);
  if (!listing) co_return co_await exchange.answer_error(listing.error());
  const auto found = std::cref(*listing);
  const Depth wanted = *depth;
  // A large one takes longer than a loop has.
  std::string xml = co_await exchange.context().repository.pool().run(&render, found, wanted);
  co_await answer_multistatus(exchange, std::move(xml));
}

Task<void> delete_directory(Exchange& exchange, const Target& target) {
  if (!has_namespace(exchange, target)) co_return co_await answer_no_namespace(exchange, target);
  std::string name_space = target.name_space;
  std::string path = target.path;
  const auto any =
      co_await exchange.context().repository.is_directory(std::move(name_space), std::move(path));
  if (!any) co_return co_await exchange.answer_error(any.error());
  if (*any) {
    const Error refusal(Errc::conflict,
                        "cannot remove a directory that names are in; larder prune removes many at once");
    co_return co_await exchange.answer_error(refusal);
  }
  Reply reply(204);
  co_await exchange.answer(std::move(reply), k_no_body);
}

}  // namespace larder::http
