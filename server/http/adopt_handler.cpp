#include "server/http/adopt_handler.hpp"

#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <mutex>

namespace larder::http {
namespace {

using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;

// What the adopting thread tells the session's loop.
class Progress {
 public:
  void report(const api::AdoptEvent& event) {
    const std::lock_guard lock(mutex_);
    lines_ += api::to_json(event) + "\n";
  }
  void done(const Result<api::AdoptEvent>& outcome) {
    const std::lock_guard lock(mutex_);
    if (!outcome) lines_ += api::to_json(problem_of(outcome.error())) + "\n";
    done_ = true;
  }
  // Lines since the last call; `done` when there will be no more.
  std::string take(bool& done) {
    const std::lock_guard lock(mutex_);
    done = done_;
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::string lines_;
  bool done_ = false;
};

// `directory`, resolved, is one of `allowed` or below it.
bool lies_below(const std::filesystem::path& directory, const std::vector<std::string>& allowed) {
  for (const std::string& each : allowed) {
    std::error_code failure;
    const auto root = std::filesystem::canonical(each, failure);
    if (failure) continue;
    const auto relative = directory.lexically_relative(root);
    if (!relative.empty() && *relative.begin() != "..") return true;
  }
  return false;
}

Result<std::string> allowed_directory(const Exchange& exchange, const Config& config,
                                      const std::string& wanted) {
  if (!exchange.from_loopback() || !exchange.may_write())
    return Error(Errc::forbidden, "directories are adopted on the server's own machine only");
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
  auto directory = allowed_directory(exchange, *context.config, wanted);
  if (!directory) co_return co_await exchange.answer_error(directory.error());

  Store::AdoptOptions options;
  options.name_space = name_space;
  options.verify = query_value(target.query, "verify").value_or("1") != "0";
  options.actor = exchange.connection().peer_text();
  std::stop_source stop;
  const auto progress = std::make_shared<Progress>();
  context.repository.adopt(
      std::move(*directory), std::move(options),
      [progress](const api::AdoptEvent& event) { progress->report(event); },
      [progress](const Result<api::AdoptEvent>& outcome) { progress->done(outcome); }, stop.get_token());

  Reply reply(200);
  reply.content_type = "application/x-ndjson";
  co_await exchange.begin_stream(std::move(reply));
  const LoopExecutor executor = exchange.connection().socket().get_executor();
  Timer timer(executor);
  for (bool done = false; !done;) {
    const std::string lines = progress->take(done);
    const bool sent = co_await exchange.stream(lines);
    if (!sent || !context.ready()) stop.request_stop();
    if (!sent) co_return;
    if (done) break;
    exchange.connection().set_deadline(SteadyTime::max());
    timer.expires_after(std::chrono::milliseconds(100));
    const auto [error] = co_await timer.async_wait(k_as_outcome);
    (void)error;
  }
  co_await exchange.end_stream();
}

}  // namespace larder::http
