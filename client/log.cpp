#include "client/log.hpp"

#include <ctime>
#include <iostream>

#include "client/line_splitter.hpp"
#include "client/moment.hpp"
#include "client/text.hpp"
#include "common/percent.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

Result<std::string> log_target(const LogOptions& options) {
  std::string query;
  const auto add = [&query](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    query.append(query.empty() ? "?" : "&").append(name).append("=").append(percent_encode(value));
  };
  add("namespace", options.name_space);
  add("match", options.match);
  add("actor", options.actor);
  add("action", options.action);
  if (!options.since.empty()) {
    LARDER_TRY_ASSIGN(const auto since, parse_moment(options.since, std::time(nullptr)));
    add("since", std::to_string(since));
  }
  if (!options.until.empty()) {
    LARDER_TRY_ASSIGN(const auto until, parse_moment(options.until, std::time(nullptr)));
    add("until", std::to_string(until));
  }
  if (options.limit > 0) add("limit", std::to_string(options.limit));
  return std::string(api::k_log) + query;
}

}  // namespace

std::string log_text(const api::LogLine& line) {
  constexpr std::size_t k_action_width = 9;
  constexpr std::size_t k_size_width = 10;
  std::string text = local_time(line.time) + "  " + left(line.action, k_action_width) +
                     right(line.digest.empty() ? "-" : human_size(line.size), k_size_width) + "  " +
                     printable(line.name) + "  " + printable(line.actor);
  if (!line.why.empty()) text += "  " + printable(line.why);
  return text;
}

ExitCode run_log(const Globals& globals, const LogOptions& options) {
  const auto target = log_target(options);
  if (!target) return complain(globals, ExitCode::usage, target.error().message());

  LineSplitter lines([&](std::string_view text) {
    if (globals.json) {
      std::cout << text << "\n";
    } else if (const auto line = api::log_line_from_json(text)) {
      std::cout << log_text(*line) << "\n";
    }
  });
  Request request;
  request.target = *target;
  request.headers = {"Accept: application/x-ndjson"};
  request.stall_timeout = std::chrono::seconds(0);  // a rare name in a long ledger takes its time
  request.sink = [&](const AnswerHead&, std::string_view bytes) {
    lines.feed(bytes);
    return static_cast<bool>(std::cout);
  };
  ServerConnection connection(globals.server);
  const auto answer = connection.perform(request);
  if (!std::cout) return ExitCode::well;  // the reader has seen enough
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, "log", *answer);
  return ExitCode::well;
}

}  // namespace larder::client
