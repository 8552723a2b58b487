#include "server/http/verify_handler.hpp"

#include <charconv>

#include "server/http/job_stream.hpp"

namespace larder::http {
namespace {

// "10", "0.5%": more than nothing, at most all.
Result<double> parse_percent(std::string_view text) {
  if (text.ends_with('%')) text.remove_suffix(1);
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || !(value > 0) || value > 100)
    return Error(Errc::invalid_argument, "?sample= takes a percentage above 0, up to 100");
  return value;
}

Result<ScrubOptions> parse_options(std::string_view query) {
  ScrubOptions options;
  const std::string level = query_value(query, "level").value_or("full");
  const auto known = scrub_level(level);
  if (!known) return Error(Errc::invalid_argument, "?level= is quick, sample or full, not '" + level + "'");
  options.level = *known;
  const auto sample = query_value(query, "sample");
  if (sample) {
    LARDER_TRY_ASSIGN(options.sample_percent, parse_percent(*sample));
  }
  const auto rate = query_value(query, "rate");
  if (rate) {
    LARDER_TRY_ASSIGN(options.rate, parse_byte_size(*rate));
  }
  const auto budget = query_value(query, "time_budget");
  if (budget) {
    LARDER_TRY_ASSIGN(options.time_budget, parse_duration(*budget));
    options.cursor = cursor_of(options.level);
  }
  options.repair = query_value(query, "repair").value_or("0") != "0";
  return options;
}

// Whatever is corrupt is taken out of the namespaces: who asks has to be one who may write.
Result<void> check_allowed(const Exchange& exchange, const ScrubOptions& options) {
  if (!exchange.may_write())
    return Error(Errc::forbidden, "only those who may write here may have the store checked");
  if (options.repair && !exchange.from_loopback())
    return Error(Errc::forbidden, "repairs are asked for on the server's own machine only");
  return {};
}

}  // namespace

Task<void> serve_verify(Exchange& exchange, const Target& target) {
  auto options = parse_options(target.query);
  if (!options) co_return co_await exchange.answer_error(options.error());
  const auto allowed = check_allowed(exchange, *options);
  if (!allowed) co_return co_await exchange.answer_error(allowed.error());
  Repository& repository = exchange.context().repository;
  const auto room = repository.job_error();
  if (!room) co_return co_await exchange.answer_error(room.error());
  auto turn = repository.enter_scrub();
  if (!turn) {
    api::Problem problem = problem_of(turn.error());
    problem.status = 409;  // 503 would have it tried again at once
    co_return co_await exchange.answer_problem(std::move(problem));
  }

  std::stop_source stop;
  const auto lines = std::make_shared<JobLines>();
  repository.scrub(
      std::move(*options), std::move(*turn),
      [lines](const api::VerifyEvent& event) { lines->add(api::to_json(event)); },
      [lines](const Result<api::VerifyEvent>& outcome) { lines->done(outcome); }, stop.get_token());
  co_await stream_job(exchange, lines, stop);
}

}  // namespace larder::http
