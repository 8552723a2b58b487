#include "client/access.hpp"

#include <ctime>
#include <iostream>

#include "client/line_splitter.hpp"
#include "client/moment.hpp"
#include "client/text.hpp"
#include "common/percent.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

Result<api::TokenRequest> token_request(const TokenOptions& options) {
  api::TokenRequest request;
  request.name = options.name;
  LARDER_TRY_ASSIGN(request.can, parse_rights(options.can));
  if (!options.name_space.empty()) {
    LARDER_TRY_ASSIGN(request.where, parse_namespaces(options.name_space));
  }
  if (!options.expires.empty()) {
    LARDER_TRY_ASSIGN(const auto duration, parse_duration(options.expires));
    request.expires_in = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  }
  return request;
}

Result<Answer> ask(const Globals& globals, const std::string& method, const std::string& target,
                   std::optional<std::string> text = std::nullopt) {
  Request request;
  request.method = method;
  request.target = target;
  request.text = std::move(text);
  ServerConnection connection(globals.server);
  return connection.perform(request);
}

ExitCode create_token(const Globals& globals, const TokenOptions& options) {
  const auto request = token_request(options);
  if (!request) return complain(globals, ExitCode::usage, request.error().message());
  const auto answer = ask(globals, "POST", std::string(api::k_tokens), api::to_json(*request));
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, options.name, *answer);
  const auto made = api::token_info_from_json(answer->body);
  if (!made) return complain(globals, made.error());
  std::cout << (globals.json ? answer->body : made->token + "\n");
  if (!globals.json && !globals.quiet)
    std::cerr << "This is the only time that it is shown. " << made->name << " may " << made->can << " in "
              << (made->where == "*" ? "all namespaces" : made->where) << ".\n";
  return ExitCode::well;
}

ExitCode list_tokens(const Globals& globals) {
  const auto answer = ask(globals, "GET", std::string(api::k_tokens));
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, "tokens", *answer);
  if (globals.json) {
    std::cout << answer->body;
    return ExitCode::well;
  }
  std::vector<api::TokenInfo> tokens;
  LineSplitter lines([&](std::string_view line) {
    auto each = api::token_info_from_json(line);
    if (each) tokens.push_back(std::move(*each));
  });
  lines.feed(answer->body);
  std::cout << token_page(tokens, std::time(nullptr));
  return ExitCode::well;
}

ExitCode revoke_token(const Globals& globals, const TokenOptions& options) {
  const std::string target = std::string(api::k_tokens) + "?token=" + percent_encode(options.name);
  const auto answer = ask(globals, "DELETE", target);
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, options.name, *answer);
  if (globals.json) std::cout << answer->body;
  if (!globals.json && !globals.quiet) std::cout << printable(options.name) << " is revoked\n";
  return ExitCode::well;
}

}  // namespace

ExitCode run_token(const Globals& globals, const TokenOptions& options) {
  switch (options.verb) {
    case TokenOptions::Verb::create: return create_token(globals, options);
    case TokenOptions::Verb::revoke: return revoke_token(globals, options);
    case TokenOptions::Verb::list: break;
  }
  return list_tokens(globals);
}

std::string token_page(const std::vector<api::TokenInfo>& tokens, std::int64_t now) {
  if (tokens.empty()) return "there are no tokens\n";
  std::string page = left("id", 12) + "  " + left("name", 20) + "  " + left("may", 24) + "  " +
                     left("in", 24) + "  " + left("expires", 16) + "  last used\n";
  for (const api::TokenInfo& each : tokens) {
    const std::string expires = each.expires == 0     ? "never"
                                : each.expires <= now ? "expired"
                                                      : local_time(each.expires);
    page += left(printable(each.id), 12) + "  " + left(printable(each.name), 20) + "  " + left(each.can, 24) +
            "  " + left(printable(each.where == "*" ? "all namespaces" : each.where), 24) + "  " +
            left(expires, 16) + "  " + local_time(each.last_used) + "\n";
  }
  return page;
}

std::string promote_page(const std::string& lane, const api::PromoteEvent& event, bool applied) {
  std::string page = lane + " -> " + event.name_space + ": " + grouped(event.promoted) + " names (" +
                     human_size(event.bytes) + ")" + (applied ? " promoted" : " would be promoted") + ", " +
                     grouped(event.present) + " there already\n";
  if (event.conflicts > 0)
    page += "  " + grouped(event.conflicts) + " conflicts: " + event.name_space +
            " holds other bytes, and keeps them\n";
  if (event.held > 0)
    page += "  " + grouped(event.held) + " held back, for whose they are or for another one of their group\n";
  if (!applied && event.promoted > 0) page += "Nothing has been promoted; --yes does it.\n";
  return page;
}

ExitCode run_promote(const Globals& globals, const PromoteOptions& options) {
  api::PromoteRules rules = options.rules;
  if (!options.since.empty()) {
    const auto since = parse_moment(options.since, std::time(nullptr));
    if (!since) return complain(globals, ExitCode::usage, since.error().message());
    rules.since = *since;
  }
  api::PromoteEvent latest;
  LineSplitter lines([&](std::string_view line) {
    const auto event = api::promote_event_from_json(line);
    if (!event) return;
    if (globals.json) std::cout << line << "\n" << std::flush;
    if (event->path.empty()) latest = *event;
    if (event->path.empty() || globals.json) return;
    std::cout << left(event->outcome, 10) << right(human_size(event->size), 10) << "  "
              << printable(event->path) << (event->reason.empty() ? "" : ": " + printable(event->reason))
              << "\n";
  });
  Request request;
  request.method = "POST";
  request.target = api::k_promote;
  request.text = api::to_json(rules);
  request.stall_timeout = std::chrono::seconds(0);
  request.sink = [&](const AnswerHead&, std::string_view bytes) {
    lines.feed(bytes);
    return true;
  };
  ServerConnection connection(globals.server);
  const auto answer = connection.perform(request);
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, rules.lane, *answer);
  if (!latest.done)
    return complain(globals, ExitCode::server, "the server ended the answer before it was done");
  if (!globals.json && !globals.quiet) std::cout << promote_page(rules.lane, latest, rules.apply);
  return latest.conflicts + latest.held > 0 ? ExitCode::incomplete : ExitCode::well;
}

ExitCode run_purge(const Globals& globals, const PurgeOptions& options) {
  PruneOptions prune = options.prune;
  if (!options.since.empty()) {
    const auto since = parse_moment(options.since, std::time(nullptr));
    if (!since) return complain(globals, ExitCode::usage, since.error().message());
    prune.rules.uploaded_since = *since;
  }
  // What somebody should not have stored goes whether or not a build has asked for it.
  prune.rules.ignore_lease = true;
  if (prune.rules.why.empty()) {
    prune.rules.why = "purge: uploaded by";
    for (const std::string& each : prune.rules.uploaders) prune.rules.why += " " + each;
  }
  return run_prune(globals, prune);
}

}  // namespace larder::client
