#include "server/http/checkout_handler.hpp"

#include <filesystem>

#include "server/http/job_stream.hpp"
#include "server/http/local_directory.hpp"

namespace larder::http {
namespace {

// Resolved; it need not exist, but the directory that holds it has to.
Result<std::string> view_directory(const Exchange& exchange, const Config& config,
                                   const std::string& wanted) {
  if (!exchange.from_loopback() || !exchange.may_write())
    return Error(Errc::forbidden, "checkouts are made on the server's own machine only");
  const Error unclear(
      Errc::invalid_argument,
      "checkout needs ?directory=/PATH of a directory that is empty, or that is still to be made in "
      "one that exists");
  const std::filesystem::path asked = wanted;
  std::error_code failure;
  if (!asked.is_absolute()) return unclear;
  const auto directory = std::filesystem::weakly_canonical(asked, failure);
  if (failure || !std::filesystem::is_directory(directory.parent_path(), failure)) return unclear;
  if (!lies_below(directory, config.checkout_to))
    return Error(Errc::forbidden,
                 "'" + wanted + "' is not below a directory listed in checkout_to in larderd.yaml");
  if (!lie_apart(directory, std::filesystem::weakly_canonical(config.data, failure)))
    return Error(Errc::invalid_argument, "cannot check out to '" + wanted + "': it and the data directory " +
                                             config.data.string() + " lie in one another");
  return directory.string();
}

// "NS" or "@SNAPSHOT/NS".
Result<CheckoutOptions> parse_options(const Repository& repository, const Target& target) {
  CheckoutOptions options;
  options.name_space = query_value(target.query, "namespace").value_or("");
  const std::string asked = options.name_space;
  if (const auto slash = asked.find('/'); asked.starts_with('@') && slash != std::string::npos) {
    options.snapshot = asked.substr(1, slash - 1);
    options.name_space = asked.substr(slash + 1);
  }
  const bool snapshot_named = options.snapshot.empty() || is_snapshot_name(options.snapshot);
  if (!snapshot_named || repository.find_namespace(options.name_space) == nullptr)
    return Error(Errc::not_found, "there is no namespace '" + asked + "'");
  const std::string mode = query_value(target.query, "mode").value_or("link");
  if (mode == "reflink") {
    options.mode = CheckoutMode::reflink;
  } else if (mode == "copy") {
    options.mode = CheckoutMode::copy;
  } else if (mode != "link") {
    return Error(Errc::invalid_argument, "?mode= is link, reflink or copy, not '" + mode + "'");
  }
  options.update = query_value(target.query, "update").value_or("0") == "1";
  options.remove_extra = query_value(target.query, "delete").value_or("0") == "1";
  if (options.remove_extra && !options.update)
    return Error(Errc::invalid_argument, "?delete=1 needs ?update=1");
  return options;
}

}  // namespace

Task<void> serve_checkout(Exchange& exchange, const Target& target) {
  Context& context = exchange.context();
  auto options = parse_options(context.repository, target);
  if (!options) co_return co_await exchange.answer_error(options.error());
  const std::string wanted = query_value(target.query, "directory").value_or("");
  auto directory = view_directory(exchange, *context.config, wanted);
  if (!directory) co_return co_await exchange.answer_error(directory.error());

  const auto room = context.repository.job_error();
  if (!room) co_return co_await exchange.answer_error(room.error());
  std::stop_source stop;
  const auto lines = std::make_shared<JobLines>();
  context.repository.checkout(
      std::move(*directory), std::move(*options),
      [lines](const api::CheckoutEvent& event) { lines->add(api::to_json(event)); },
      [lines](const Result<api::CheckoutEvent>& outcome) { lines->done(outcome); }, stop.get_token());
  co_await stream_job(exchange, lines, stop);
}

}  // namespace larder::http
