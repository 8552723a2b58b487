#include "server/http/prune_handler.hpp"

#include <algorithm>
#include <charconv>

#include "common/glob.hpp"
#include "common/prune_api.hpp"
#include "server/http/access_handler.hpp"
#include "server/http/job_stream.hpp"
#include "server/http/service_handler.hpp"

namespace larder::http {
namespace {

constexpr std::size_t k_most_rules = 64 << 20;      // bytes: a list of names to keep may be long
constexpr std::size_t k_most_generations = 10'000;  // shown at once

Reply reply_with(std::string_view content_type) {
  Reply reply(200);
  reply.content_type = content_type;
  return reply;
}

// ?generation=N; 0 when there is none. Errc::invalid_argument.
Result<std::uint64_t> generation_of(const Target& target) {
  const std::string text = query_value(target.query, "generation").value_or("0");
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end != text.data() + text.size())
    return Error(Errc::invalid_argument, "'" + text + "' is no generation of the trash");
  return number;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.emplace_back(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// Rules, checked to be some: without any, everything would go.
Result<api::PruneRules> prune_rules_from(std::string_view text) {
  LARDER_TRY_ASSIGN(api::PruneRules rules, api::prune_rules_from_json(text));
  if (!api::selects_something(rules))
    return Error(Errc::invalid_argument,
                 "these rules choose nothing; to take everything, say match: [\"*\"]");
  for (const std::string& each : rules.keep_hashes) {
    if (!Digest::from_hex(each))
      return Error(Errc::invalid_argument, "keep_hashes: '" + each + "' is no hash of a task: 64 digits");
  }
  for (const std::string& each : rules.keep_names) {
    const auto key = ArtifactKey::make(rules.name_space, each);
    if (!key) return Error(Errc::invalid_argument, "keep_names: '" + each + "': " + key.error().message());
  }
  return rules;
}

// `name`: NAMESPACE/PATH.
bool may_remove(const Exchange& exchange, std::string_view name) {
  return exchange.visitor().may().may(Right::remove, name.substr(0, name.find('/')));
}

// A pattern is about one namespace when it says so before its first * or ?; else about all.
bool may_with_pattern(const Exchange& exchange, Right right, std::string_view pattern) {
  const Permissions& permissions = exchange.visitor().may();
  const std::string_view name_space = pattern.substr(0, pattern.find('/'));
  const bool about_one = name_space.size() < pattern.size() && !is_glob(name_space);
  return about_one ? permissions.may(right, name_space) : permissions.may_everywhere(right);
}

// True: it is not for the asker to decide about, and that has been answered. What was removed at once is of
// one namespace; which one "the newest" or "all" mean may change until it is done, so those are for who may
// remove everywhere.
Task<bool> refuse_generation(Exchange& exchange, std::uint64_t generation) {
  if (generation != 0 && !exchange.visitor().may().may_everywhere(Right::remove)) {
    const auto trash = co_await exchange.context().repository.list_trash(k_most_generations);
    if (!trash) {
      co_await exchange.answer_error(trash.error());
      co_return true;
    }
    const auto found = std::find_if(trash->begin(), trash->end(), [&](const api::TrashGeneration& each) {
      return each.generation == generation;
    });
    if (found != trash->end() && may_remove(exchange, found->first)) co_return false;
  }
  co_return co_await refuse_unless_everywhere(exchange, Right::remove);
}

std::int64_t seconds(std::chrono::milliseconds duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

Task<void> serve_prune(Exchange& exchange) {
  if (exchange.request().method != Method::post)
    co_return co_await answer_method_not_allowed(exchange, "POST");
  const auto text = co_await read_text(exchange, k_most_rules);
  if (!text) co_return co_await exchange.answer_error(text.error());
  auto rules = prune_rules_from(*text);
  if (!rules) co_return co_await exchange.answer_error(rules.error());
  Context& context = exchange.context();
  const bool refused = co_await refuse_unless(exchange, Right::remove, rules->name_space);
  if (refused) co_return;
  if (context.repository.find_namespace(rules->name_space) == nullptr) {
    const Error missing(Errc::not_found, "there is no namespace '" + rules->name_space + "'");
    co_return co_await exchange.answer_error(missing);
  }
  const auto room = context.repository.job_error();
  if (!room) co_return co_await exchange.answer_error(room.error());
  Store::PrunePolicy policy;
  policy.lease = seconds(context.config->lease);
  policy.grace = seconds(context.config->grace_period);
  std::stop_source stop;
  const auto lines = std::make_shared<JobLines>();
  context.repository.prune(
      std::move(*rules), policy, exchange.actor(),
      [lines](const api::PruneEvent& event) { lines->add(api::to_json(event)); },
      [lines](const Result<api::PruneEvent>& outcome) {
        if (outcome) lines->add(api::to_json(*outcome));
        lines->done(outcome);
      },
      stop.get_token());
  co_await stream_job(exchange, lines, stop);
}

Task<void> serve_trash(Exchange& exchange, const Target& target) {
  const Method method = exchange.request().method;
  Repository& repository = exchange.context().repository;
  if (method == Method::get || method == Method::head) {
    const auto trash = co_await repository.list_trash(k_most_generations);
    if (!trash) co_return co_await exchange.answer_error(trash.error());
    std::string body;
    for (const api::TrashGeneration& each : *trash) {
      if (may_remove(exchange, each.first)) body += api::to_json(each) + "\n";
    }
    Reply reply = reply_with("application/x-ndjson");
    co_return co_await exchange.answer(std::move(reply), body);
  }
  if (method != Method::delete_) co_return co_await answer_method_not_allowed(exchange, "GET, HEAD, DELETE");
  const auto generation = generation_of(target);
  if (!generation) co_return co_await exchange.answer_error(generation.error());
  const bool refused = co_await refuse_generation(exchange, *generation);
  if (refused) co_return;
  std::string actor = exchange.actor();
  const auto emptied = co_await repository.empty_trash(*generation, std::move(actor));
  if (!emptied) co_return co_await exchange.answer_error(emptied.error());
  Reply reply = reply_with("application/json");
  const std::string body = api::to_json(*emptied) + "\n";
  co_await exchange.answer(std::move(reply), body);
}

Task<void> serve_undo(Exchange& exchange, const Target& target) {
  if (exchange.request().method != Method::post)
    co_return co_await answer_method_not_allowed(exchange, "POST");
  const auto generation = generation_of(target);
  if (!generation) co_return co_await exchange.answer_error(generation.error());
  const bool refused = co_await refuse_generation(exchange, *generation);
  if (refused) co_return;
  std::string actor = exchange.actor();
  const auto undone = co_await exchange.context().repository.undo(*generation, std::move(actor));
  if (!undone) co_return co_await exchange.answer_error(undone.error());
  Reply reply = reply_with("application/json");
  const std::string body = api::to_json(*undone) + "\n";
  co_await exchange.answer(std::move(reply), body);
}

Task<void> serve_pins(Exchange& exchange) {
  const Method method = exchange.request().method;
  Repository& repository = exchange.context().repository;
  if (method == Method::get || method == Method::head) {
    const auto pins = co_await repository.pins();
    std::string body;
    for (const std::string& each : pins) {
      if (may_with_pattern(exchange, Right::read, each)) body += each + "\n";
    }
    Reply reply = reply_with("text/plain; charset=utf-8");
    co_return co_await exchange.answer(std::move(reply), body);
  }
  if (method != Method::post && method != Method::delete_)
    co_return co_await answer_method_not_allowed(exchange, "GET, HEAD, POST, DELETE");
  const auto text = co_await read_text(exchange, k_most_rules);
  if (!text) co_return co_await exchange.answer_error(text.error());
  std::vector<std::string> lines = lines_of(*text);
  const bool all_allowed = std::all_of(lines.begin(), lines.end(), [&](const std::string& each) {
    return may_with_pattern(exchange, Right::remove, each);
  });
  if (!all_allowed) {
    const bool refused = co_await refuse_unless_everywhere(exchange, Right::remove);
    if (refused) co_return;
  }
  std::string actor = exchange.actor();
  Result<std::size_t> changed = std::size_t{0};
  if (method == Method::post)
    changed = co_await repository.pin(std::move(lines), std::move(actor));
  else
    changed = co_await repository.unpin(std::move(lines), std::move(actor));
  if (!changed) co_return co_await exchange.answer_error(changed.error());
  Reply reply = reply_with("text/plain");
  const std::string body = std::to_string(*changed) + "\n";
  co_await exchange.answer(std::move(reply), body);
}

}  // namespace larder::http
