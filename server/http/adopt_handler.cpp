#include "server/http/adopt_handler.hpp"

#include <filesystem>

#include "server/http/job_stream.hpp"
#include "server/http/local_directory.hpp"

namespace larder::http {
namespace {

Result<std::string> allowed_directory(const Config& config, const std::string& wanted) {
  std::error_code failure;
  const auto directory = std::filesystem::canonical(wanted, failure);
  if (wanted.empty() || wanted.front() != '/' || failure)
    return Error(Errc::invalid_argument,
                 "adopt needs ?directory=/PATH of an existing directory that larderd may read");
  if (!lies_below(directory, config.adopt_from))
    return Error(Errc::forbidden,
                 "'" + wanted +
                     "' is not below a directory listed in adopt_from; list it there, or stop "
                     "the daemon and use 'larderd adopt'");
  LARDER_TRY(check_apart(directory, config.data));
  return directory.string();
}

}  // namespace

Task<void> serve_adopt(Exchange& exchange, const Target& target) {
  Context& context = exchange.context();
  const std::string name_space = query_value(target.query, "namespace").value_or("");
  if (context.repository.find_namespace(name_space) == nullptr) {
    const Error missing(Errc::not_found, "there is no namespace '" + name_space + "'");
    co_return co_await exchange.answer_error(missing);
  }
  const std::string wanted = query_value(target.query, "directory").value_or("");
  auto directory = allowed_directory(*context.config, wanted);
  if (!directory) co_return co_await exchange.answer_error(directory.error());

  const auto room = context.repository.job_error();
  if (!room) co_return co_await exchange.answer_error(room.error());
  Store::AdoptOptions options;
  options.name_space = name_space;
  options.verify = query_value(target.query, "verify").value_or("1") != "0";
  options.actor = exchange.actor();
  std::stop_source stop;
  const auto lines = std::make_shared<JobLines>();
  context.repository.adopt(
      std::move(*directory), std::move(options),
      [lines](const api::AdoptEvent& event) { lines->add(api::to_json(event)); },
      [lines](const Result<api::AdoptEvent>& outcome) { lines->done(outcome); }, stop.get_token());
  co_await stream_job(exchange, lines, stop);
}

}  // namespace larder::http
