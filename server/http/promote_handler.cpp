#include "server/http/promote_handler.hpp"

#include "common/promote_api.hpp"
#include "server/http/access_handler.hpp"
#include "server/http/job_stream.hpp"
#include "server/http/service_handler.hpp"

namespace larder::http {

Task<void> serve_promote(Exchange& exchange) {
  constexpr std::size_t k_most_request = 1 << 20;  // bytes
  if (exchange.request().method != Method::post)
    co_return co_await answer_method_not_allowed(exchange, "POST");
  const auto text = co_await read_text(exchange, k_most_request);
  if (!text) co_return co_await exchange.answer_error(text.error());
  const auto rules = api::promote_rules_from_json(*text);
  if (!rules) co_return co_await exchange.answer_error(rules.error());
  const bool lane_refused = co_await refuse_unless(exchange, Right::read, rules->lane);
  if (lane_refused) co_return;
  Repository& repository = exchange.context().repository;
  const NamespaceConfig* const lane = repository.find_namespace(rules->lane);
  if (lane == nullptr || lane->overlay.empty() || rules->lane.starts_with('@')) {
    const Error wrong(lane == nullptr ? Errc::not_found : Errc::invalid_argument,
                      lane == nullptr ? "there is no namespace '" + rules->lane + "'"
                                      : "'" + rules->lane + "' is no lane: it overlays no namespace");
    co_return co_await exchange.answer_error(wrong);
  }
  const bool refused = co_await refuse_unless(exchange, Right::write, lane->overlay);
  if (refused) co_return;

  const auto room = repository.job_error();
  if (!room) co_return co_await exchange.answer_error(room.error());
  Store::PromoteOptions options;
  options.rules = *rules;
  options.actor = exchange.actor();
  options.may_replace = exchange.visitor().may().may(Right::replace, lane->overlay);
  std::stop_source stop;
  const auto lines = std::make_shared<JobLines>();
  repository.promote(
      std::move(options), [lines](const api::PromoteEvent& event) { lines->add(api::to_json(event)); },
      [lines](const Result<api::PromoteEvent>& outcome) {
        if (outcome) lines->add(api::to_json(*outcome));
        lines->done(outcome);
      },
      stop.get_token());
  co_await stream_job(exchange, lines, stop);
}

}  // namespace larder::http
