#include "server/http/service_handler.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>

#include "common/access_api.hpp"
#include "common/log_line.hpp"
#include "common/name_list.hpp"
#include "common/percent.hpp"
#include "common/promote_api.hpp"
#include "common/upload_batch.hpp"
#include "server/http/access_handler.hpp"
#include "server/http/adopt_handler.hpp"
#include "server/http/checkout_handler.hpp"
#include "server/http/conditional.hpp"
#include "server/http/digests_handler.hpp"
#include "server/http/listing.hpp"
#include "server/http/log_handler.hpp"
#include "server/http/promote_handler.hpp"
#include "server/http/prune_handler.hpp"
#include "server/http/snapshot_handler.hpp"
#include "server/http/text_stream.hpp"
#include "server/http/token_handler.hpp"
#include "server/http/upload_handler.hpp"
#include "server/http/verify_handler.hpp"
#include "server/http/webdav_handler.hpp"

namespace larder::http {
namespace {

constexpr std::size_t k_page = 4096;                    // names read from the index at once
constexpr std::size_t k_find_missing_limit = 64 << 20;  // bytes of names in one request, unpacked

Reply text_reply(std::string_view content_type) {
  Reply reply(200);
  reply.content_type = content_type;
  return reply;
}

bool is_read(const Request& request) {
  return request.method == Method::get || request.method == Method::head;
}

// What find-missing answers; runs in the disk pool.
std::string join_missing(const std::vector<WantedName>& wanted, const std::vector<bool>& missing) {
  std::string text;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (missing[i]) text.append(wanted[i].path).append("\n");
  }
  return text;
}

Task<void> find_missing(Exchange& exchange, const Target& target) {
  const auto name_space = query_value(target.query, "namespace");
  if (!name_space || name_space->empty()) {
    const Error unclear(Errc::invalid_argument, "find-missing needs ?namespace=NAME");
    co_return co_await exchange.answer_error(unclear);
  }
  const bool refused = co_await refuse_encoding(exchange);
  if (refused) co_return;
  const auto text = co_await read_text(exchange, k_find_missing_limit);
  if (!text) co_return co_await exchange.answer_error(text.error());
  DiskPool& pool = exchange.context().repository.pool();
  const std::string_view names = *text;
  const auto wanted = co_await pool.run(&parse_wanted, names);
  if (!wanted) co_return co_await exchange.answer_error(wanted.error());
  const auto missing = co_await exchange.context().repository.find_missing(*name_space, *wanted);
  if (!missing) co_return co_await exchange.answer_error(missing.error());
  const auto asked = std::cref(*wanted);
  const auto answers = std::cref(*missing);
  const std::string answer = co_await pool.run(&join_missing, asked, answers);
  Reply reply = text_reply("text/plain; charset=utf-8");
  co_await exchange.answer(std::move(reply), answer);
}

Task<Result<api::Stat>> full_stat(Exchange& exchange) {
  auto stat = co_await exchange.context().repository.stat_all();
  if (stat) exchange.context().complete_stat(*stat);
  if (stat) hide_unreadable(exchange, *stat);
  co_return stat;
}

Task<void> serve_stat(Exchange& exchange) {
  const auto stat = co_await full_stat(exchange);
  if (!stat) co_return co_await exchange.answer_error(stat.error());
  Reply reply = text_reply("application/json");
  const std::string body = api::to_json(*stat) + "\n";
  co_await exchange.answer(std::move(reply), body);
}

// Runs in the disk pool: with thousands of connections, going through their descriptors takes a while.
ProcessFigures process_figures() {
  ProcessFigures figures;
  timespec used{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0)
    figures.cpu_seconds = static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
  std::error_code failure;
  std::filesystem::directory_iterator each("/proc/self/fd", failure);
  std::uint64_t count = 0;
  for (; !failure && each != std::filesystem::directory_iterator(); each.increment(failure)) ++count;
  if (!failure && count > 0) figures.open_files = count - 1;  // without the one that counts
  return figures;
}

Task<void> serve_metrics(Exchange& exchange) {
  const auto stat = co_await full_stat(exchange);
  if (!stat) co_return co_await exchange.answer_error(stat.error());
  const ProcessFigures process = co_await exchange.context().repository.pool().run(&process_figures);
  Reply reply = text_reply("text/plain; version=0.0.4; charset=utf-8");
  const std::string body = render_metrics(*stat, process, exchange.context().latency);
  co_await exchange.answer(std::move(reply), body);
}

Task<void> serve_health(Exchange& exchange) {
  const bool ready = exchange.context().ready();
  Reply reply = text_reply("text/plain");
  if (!ready) reply.status = 503;
  const std::string_view body = ready ? "ready\n" : "shutting down\n";
  co_await exchange.answer(std::move(reply), body);
}

Task<void> stream_names(Exchange& exchange, const std::string& name_space, TextStream& out) {
  std::string after;
  for (bool more = true; more;) {
    std::string wanted_namespace = name_space;
    std::string position = after;
    const auto page = co_await exchange.context().repository.list_names(std::move(wanted_namespace),
                                                                        std::move(position), k_page);
    if (!page) co_return exchange.abort();
    std::string text;
    for (const std::string& path : page->paths) text.append(path).append("\n");
    if (!page->paths.empty()) after = page->paths.back();
    more = page->more;
    const bool sent = co_await out.write(text);
    if (!sent) co_return;
  }
  co_await out.finish();
}

// "+PATH" for a name that came or changed, "-PATH" for one that went.
Task<void> stream_changes(Exchange& exchange, const std::string& name_space, std::uint64_t since,
                          TextStream& out) {
  for (bool more = true; more;) {
    std::string wanted_namespace = name_space;
    const auto page =
        co_await exchange.context().repository.changes(std::move(wanted_namespace), since, k_page);
    if (!page) co_return exchange.abort();
    std::string text;
    for (const Store::Change& change : page->changes)
      text.append(change.removed ? "-" : "+").append(change.path).append("\n");
    since = page->reached;
    more = page->more;
    const bool sent = co_await out.write(text);
    if (!sent) co_return;
  }
  co_await out.finish();
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

Task<void> answer_directory_hint(Exchange& exchange, const Target& target) {
  api::Problem problem;
  problem.status = 404;
  problem.code = name_of(Errc::not_found);
  problem.detail =
      "a directory is no artifact; its listing is for those who send Accept: text/html or "
      "application/json, and the names of all artifacts are in /" +
      target.name_space + "/index.txt";
  co_await exchange.answer_problem(std::move(problem));
}

std::string render_html(api::Listing listing) {
  return render_listing_html(std::move(listing));
}  // sorts

std::string render_json(api::Listing listing) {
  sort_listing(listing);
  return api::to_json(listing) + "\n";
}

// HEAD of a directory by a client that reads anything: whether it is there.
Task<void> answer_directory_check(Exchange& exchange, const Target& target) {
  const bool there = co_await may_be_directory(exchange, target);
  Reply reply(there ? 200 : 404);
  reply.content_length = 0;
  co_await exchange.answer(std::move(reply), k_no_body);
}

}  // namespace

Task<Result<api::Listing>> read_directory(Exchange& exchange, const Target& target) {
  api::Listing listing;
  listing.path = "/" + target.name_space + "/" + (target.path.empty() ? std::string() : target.path + "/");
  std::string after;
  for (bool more = true; more;) {
    std::string name_space = target.name_space;
    std::string path = target.path;
    std::string position = after;
    auto page = co_await exchange.context().repository.list_directory(std::move(name_space), std::move(path),
                                                                      std::move(position), k_page);
    if (!page && page.error().code() == Errc::not_found && target.path.empty()) break;  // an empty namespace
    if (!page) co_return page.error();
    for (api::ListingEntry& entry : page->entries) listing.entries.push_back(std::move(entry));
    after = page->next;
    more = page->more;
  }
  co_return listing;
}

Task<void> answer_method_not_allowed(Exchange& exchange, std::string_view allowed) {
  api::Problem problem;
  problem.status = 405;
  problem.code = name_of(Errc::not_supported);
  problem.detail = "this method is not understood here";
  const std::string allow = "Allow: " + std::string(allowed) + "\r\n";
  co_await exchange.answer_problem(std::move(problem), allow);
}

Task<void> serve_options(Exchange& exchange) {
  Reply reply(204);
  reply.extra = "Allow: GET, HEAD, PUT, DELETE, POST, OPTIONS, MKCOL, PROPFIND\r\nDAV: 1\r\n";
  co_await exchange.answer(std::move(reply), k_no_body);
}

Task<Result<std::string>> read_text(Exchange& exchange, std::size_t limit) {
  BodyBytes body;
  constexpr std::size_t k_piece = 256 << 10;
  constexpr std::uint64_t k_believed = 8 << 20;  // bytes of what is announced that get room before they come
  const std::uint64_t announced = exchange.request().content_length.value_or(0);
  body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>({announced, limit, k_believed})));
  while (true) {
    const auto count = co_await exchange.read_body(body, k_piece);
    if (!count) co_return count.error();
    if (*count == 0) break;
    if (body.size() > limit) co_return Error(Errc::too_large, "the request's body is too large");
  }
  std::string text(reinterpret_cast<const char*>(body.data()), body.size());
  if (exchange.request().content_encoding != "gzip") co_return text;
  const std::string_view packed = text;
  auto unpacked = co_await exchange.context().repository.pool().run(&gunzip, packed, limit);
  co_return unpacked;
}

Task<bool> refuse_encoding(Exchange& exchange) {
  const std::string_view encoding = exchange.request().content_encoding;
  if (encoding.empty() || encoding == "identity" || encoding == "gzip") co_return false;
  api::Problem problem;
  problem.status = 415;
  problem.code = name_of(Errc::invalid_argument);
  problem.detail = "this Content-Encoding is not understood; gzip is";
  co_await exchange.answer_problem(std::move(problem), "Accept-Encoding: gzip\r\n");
  co_return true;
}

api::Listing list_namespaces(const Exchange& exchange) {
  api::Listing listing;
  listing.path = "/";
  for (const NamespaceConfig& each : exchange.context().repository.namespaces()) {
    if (!exchange.visitor().may().may(Right::read, each.name)) continue;
    api::ListingEntry entry;
    entry.name = each.name;
    entry.directory = true;
    listing.entries.push_back(std::move(entry));
  }
  return listing;
}

Task<void> serve_root(Exchange& exchange) {
  if (!is_read(exchange.request()))
    co_return co_await answer_method_not_allowed(exchange, "GET, HEAD, OPTIONS, PROPFIND");
  const auto stat = co_await full_stat(exchange);
  if (!stat) co_return co_await exchange.answer_error(stat.error());
  RootPage page;
  page.scheme = exchange.connection().is_secure() ? "https" : "http";
  page.host = exchange.request().host;
  page.version = stat->version;
  page.namespaces = stat->namespaces;
  const ListingFormat format = choose_listing_format(exchange.request().accept);
  Reply reply = text_reply("text/plain; charset=utf-8");
  std::string body;
  switch (format) {
    case ListingFormat::html:
      reply.content_type = "text/html; charset=utf-8";
      body = render_root_html(page);
      break;
    case ListingFormat::json: {
      reply.content_type = "application/json";
      const api::Listing listing = list_namespaces(exchange);
      body = api::to_json(listing) + "\n";
      break;
    }
    case ListingFormat::none: body = render_root_text(page); break;
  }
  co_await exchange.answer(std::move(reply), body);
}

Task<void> serve_listing(Exchange& exchange, const Target& target) {
  const bool removes = exchange.request().method == Method::delete_ && !target.path.empty();
  if (removes) co_return co_await delete_directory(exchange, target);
  if (!is_read(exchange.request()))
    co_return co_await answer_method_not_allowed(exchange, "GET, HEAD, OPTIONS, MKCOL, PROPFIND");
  if (exchange.context().repository.find_namespace(target.name_space) == nullptr) {
    const Error missing(Errc::not_found, "there is no namespace " + target.name_space);
    co_return co_await exchange.answer_error(missing);
  }
  const ListingFormat format = choose_listing_format(exchange.request().accept);
  // A client that reads anything gets no listing: BitBake would store it as a source archive.
  if (format == ListingFormat::none && exchange.request().method == Method::get)
    co_return co_await answer_directory_hint(exchange, target);
  if (format == ListingFormat::none) co_return co_await answer_directory_check(exchange, target);
  auto listing = co_await read_directory(exchange, target);
  if (!listing) co_return co_await exchange.answer_error(listing.error());
  if (!target.trailing_slash) {
    Reply reply(301);
    reply.extra = "Location: " + percent_encode(listing->path) + "\r\n";
    co_return co_await exchange.answer(std::move(reply), k_no_body);
  }
  const bool html = format == ListingFormat::html;
  Reply reply = text_reply(html ? "text/html; charset=utf-8" : "application/json");
  reply.extra = "Vary: Accept\r\n";
  DiskPool& pool = exchange.context().repository.pool();  // a large one takes longer than a loop has
  auto* const render = html ? &render_html : &render_json;
  api::Listing found = std::move(*listing);
  const std::string body = co_await pool.run(render, std::move(found));
  co_await exchange.answer(std::move(reply), body);
}

Task<void> serve_index(Exchange& exchange, const Target& target) {
  Repository& repository = exchange.context().repository;
  if (!is_read(exchange.request()))
    co_return co_await answer_method_not_allowed(exchange, "GET, HEAD, OPTIONS");
  if (repository.find_namespace(target.name_space) == nullptr) {
    const Error missing(Errc::not_found, "there is no namespace " + target.name_space);
    co_return co_await exchange.answer_error(missing);
  }
  const std::uint64_t generation = repository.list_generation();
  const bool packed = accepts_gzip(exchange.request().accept_encoding);
  const auto since_text = query_value(target.query, "since");
  std::optional<std::uint64_t> since;
  if (since_text) {
    const auto number = parse_number(*since_text);
    if (!number) {
      const Error unclear(Errc::invalid_argument, "?since= takes a generation, a number");
      co_return co_await exchange.answer_error(unclear);
    }
    since = repository.generation_of(*number);
    if (!since) {
      api::Problem problem;
      problem.status = 410;
      problem.code = name_of(Errc::not_found);
      problem.detail = "this generation is not known here, or no more; fetch the whole list";
      co_return co_await exchange.answer_problem(std::move(problem));
    }
  }

  Reply reply = text_reply("text/plain; charset=utf-8");
  reply.etag = std::to_string(generation) + (since ? "-since-" + std::to_string(*since) : "") +
               (packed ? "-gzip" : "");
  reply.extra = "Larder-Generation: " + std::to_string(generation) + "\r\nVary: Accept-Encoding\r\n";
  if (packed) reply.extra += "Content-Encoding: gzip\r\n";
  Validators validators;
  validators.etag = reply.etag;
  if (!exchange.request().if_none_match.empty() &&
      evaluate(exchange.request(), validators) == Precondition::not_modified) {
    Reply unchanged(304);
    unchanged.etag = reply.etag;
    co_return co_await exchange.answer(std::move(unchanged), k_no_body);
  }
  co_await exchange.begin_stream(std::move(reply));
  TextStream out(exchange, packed);
  if (exchange.request().method == Method::head) co_return co_await exchange.end_stream();
  if (since) co_return co_await stream_changes(exchange, target.name_space, *since, out);
  co_await stream_names(exchange, target.name_space, out);
}

Task<void> serve_admin(Exchange& exchange, const Target& target) {
  const std::string& path = target.path;
  const bool reads = path == api::k_health || path == api::k_metrics || path == api::k_stat ||
                     path == api::k_log || path == api::k_digests;
  if (path == api::k_prune) co_return co_await serve_prune(exchange);
  if (path == api::k_trash) co_return co_await serve_trash(exchange, target);
  if (path == api::k_undo) co_return co_await serve_undo(exchange, target);
  if (path == api::k_pins) co_return co_await serve_pins(exchange);
  if (path == api::k_snapshots) co_return co_await serve_snapshots(exchange, target);
  if (path == api::k_restore) co_return co_await serve_restore(exchange, target);
  if (path == api::k_tokens) co_return co_await serve_tokens(exchange, target);
  if (path == api::k_promote) co_return co_await serve_promote(exchange);
  if (path == api::k_uploads) co_return co_await serve_uploads(exchange, target);
  const bool posts =
      path == api::k_find_missing || path == api::k_adopt || path == api::k_verify || path == api::k_checkout;
  if (reads && !is_read(exchange.request()))
    co_return co_await answer_method_not_allowed(exchange, "GET, HEAD");
  if (posts && exchange.request().method != Method::post)
    co_return co_await answer_method_not_allowed(exchange, "POST");
  if (path == api::k_health) co_return co_await serve_health(exchange);
  if (path == api::k_metrics) co_return co_await serve_metrics(exchange);
  if (path == api::k_stat) co_return co_await serve_stat(exchange);
  if (path == api::k_log) co_return co_await serve_log(exchange, target);
  if (path == api::k_digests) co_return co_await serve_digests(exchange, target);
  if (path == api::k_find_missing) co_return co_await find_missing(exchange, target);
  if (path == api::k_checkout) co_return co_await serve_checkout(exchange, target);
  if (path == api::k_adopt) co_return co_await serve_adopt(exchange, target);
  if (path == api::k_verify) co_return co_await serve_verify(exchange, target);
  const Error missing(Errc::not_found, "there is nothing at " + path);
  co_await exchange.answer_error(missing);
}

}  // namespace larder::http
