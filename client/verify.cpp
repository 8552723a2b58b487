#include <iostream>
#include <mutex>

#include "client/commands.hpp"
#include "client/line_splitter.hpp"
#include "client/progress.hpp"
#include "client/text.hpp"
#include "client/verify_page.hpp"
#include "common/percent.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

std::string verify_target(const VerifyOptions& options) {
  std::string target(api::k_verify);
  target += options.quick ? "?level=quick" : options.sample.empty() ? "?level=full" : "?level=sample";
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) target.append("&").append(name).append("=").append(percent_encode(value));
  };
  add("sample", options.sample);
  add("time_budget", options.time_budget);
  add("rate", options.rate);
  if (options.repair) target += "&repair=1";
  return target;
}

// Keeps the last counts of a stream of events, and passes on what people should see at once.
class VerifyStream {
 public:
  VerifyStream(const Globals& globals, Progress& progress) : globals_(globals), progress_(progress) {}

  void feed(std::string_view bytes) { lines_.feed(bytes); }

  api::VerifyEvent latest() {
    const std::lock_guard lock(mutex_);
    return latest_;
  }
  const std::string& failure() const { return failure_; }
  std::uint64_t found() const { return found_; }  // by this run

 private:
  void take_line(std::string_view line) {
    const auto problem = api::problem_from_json(line);
    if (problem && problem->status != 0) {
      failure_ = problem->detail;
      return;
    }
    const auto event = api::verify_event_from_json(line);
    if (!event) return;
    if (globals_.json) std::cout << line << "\n" << std::flush;
    if (!event->defect.empty()) {
      ++found_;
      if (!globals_.json && globals_.quiet) std::cerr << defect_line(*event) << "\n";  // cron mails it
      if (!globals_.json) progress_.note(defect_line(*event));  // says nothing when quiet
      return;
    }
    const std::lock_guard lock(mutex_);
    latest_ = *event;
  }

  const Globals& globals_;
  Progress& progress_;
  LineSplitter lines_{[this](std::string_view line) { take_line(line); }};
  std::mutex mutex_;
  api::VerifyEvent latest_;
  std::string failure_;
  std::uint64_t found_ = 0;
};

}  // namespace

ExitCode run_verify(const Globals& globals, const VerifyOptions& options) {
  api::VerifyEvent counts;
  std::string failure;
  std::uint64_t found = 0;
  Result<Answer> answer = Error(Errc::io, "nothing was asked");
  {
    VerifyStream* stream_now = nullptr;
    const auto started = std::chrono::steady_clock::now();
    const ProgressStyle style = globals.json ? ProgressStyle::none : progress_style(globals.quiet);
    Progress progress(style, [&] {
      ProgressFigures now;
      const api::VerifyEvent latest = stream_now != nullptr ? stream_now->latest() : api::VerifyEvent{};
      now.doing = "checked";
      now.done = latest.names;
      now.done_bytes = latest.bytes;
      const bool all_is_read = !options.quick && options.sample.empty();
      now.total_bytes = all_is_read ? latest.total_bytes : 0;
      const auto elapsed = std::chrono::steady_clock::now() - started;
      if (!latest.resumed) now.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed);
      return progress_line(now);
    });
    VerifyStream stream(globals, progress);
    stream_now = &stream;

    Request request;
    request.method = "POST";
    request.target = verify_target(options);
    request.text = "";
    request.headers = {"Accept: application/x-ndjson"};
    request.stall_timeout = std::chrono::seconds(0);  // one large object can take its time
    request.sink = [&](const AnswerHead&, std::string_view bytes) {
      stream.feed(bytes);
      return true;
    };
    ServerConnection connection(globals.server);
    answer = connection.perform(request);
    counts = stream.latest();
    failure = stream.failure();
    found = stream.found();
  }
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, ExitCode::server, describe_refusal(*answer));
  if (!failure.empty()) return complain(globals, ExitCode::server, failure);
  if (!counts.done)
    return complain(globals, ExitCode::server, "the server ended the answer before it was done");
  if (!globals.json && (!globals.quiet || found > 0)) std::cout << verify_page(globals.server.base, counts);
  return found > 0 ? ExitCode::incomplete : ExitCode::well;
}

}  // namespace larder::client
