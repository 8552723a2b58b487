#include "client/checkout.hpp"

#include <filesystem>
#include <iostream>
#include <mutex>

#include "client/line_splitter.hpp"
#include "client/progress.hpp"
#include "client/text.hpp"
#include "common/checkout_event.hpp"
#include "common/percent.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

std::string checkout_target(const CheckoutOptions& options, const std::filesystem::path& directory) {
  std::string target = std::string(api::k_checkout) +
                       "?namespace=" + percent_encode(served_namespace(options.what)) +
                       "&directory=" + percent_encode(directory.native()) + "&mode=" + options.mode;
  if (options.update) target += "&update=1";
  if (options.remove_extra) target += "&delete=1";
  return target;
}

// Keeps the last counts of the stream, what ended it, and passes on what people should see at once.
class CheckoutStream {
 public:
  explicit CheckoutStream(const Globals& globals) : globals_(globals) {}

  void show_on(Progress& progress) { progress_ = &progress; }
  void feed(std::string_view bytes) { lines_.feed(bytes); }

  api::CheckoutEvent latest() {
    const std::lock_guard lock(mutex_);
    return latest_;
  }
  std::string failure() const { return failure_; }

 private:
  void take_line(std::string_view line) {
    // A job that fails ends with a problem document.
    const auto problem = api::problem_from_json(line);
    if (problem && !problem->detail.empty()) {
      failure_ = problem->detail;
      return;
    }
    const auto event = api::checkout_event_from_json(line);
    if (!event) return;
    if (globals_.json) std::cout << line << "\n" << std::flush;
    if (!event->path.empty() && !globals_.json)
      progress_->note("larder: " + printable(event->path) + ": " + event->outcome + ": " +
                      printable(event->reason));
    const std::lock_guard lock(mutex_);
    latest_ = *event;
  }

  const Globals& globals_;
  Progress* progress_ = nullptr;
  LineSplitter lines_{[this](std::string_view line) { take_line(line); }};
  std::mutex mutex_;
  api::CheckoutEvent latest_;
  std::string failure_;
};

void print_summary(const api::CheckoutEvent& counts, const CheckoutOptions& options,
                   const std::filesystem::path& directory) {
  const auto row = [](std::string_view what, std::uint64_t count) {
    std::cout << "  " << left(what, sizeof "present") << right(grouped(count), 10) << "\n";
  };
  std::cout << options.what << " in " << printable(directory.native()) << ": " << human_size(counts.bytes)
            << ", of its own " << human_size(counts.copied_bytes) << "\n";
  row("linked", counts.linked);
  if (counts.copied > 0) row("copied", counts.copied);
  if (options.update) row("present", counts.present);
  if (options.remove_extra) row("removed", counts.removed);
  if (counts.failed > 0) row("failed", counts.failed);
}

}  // namespace

std::string served_namespace(std::string_view what) {
  const auto at = what.find('@');
  if (at == std::string_view::npos || at == 0) return std::string(what);
  return "@" + std::string(what.substr(at + 1)) + "/" + std::string(what.substr(0, at));
}

ExitCode run_checkout(const Globals& globals, const CheckoutOptions& options) {
  std::error_code failure;
  const auto directory = std::filesystem::absolute(options.directory, failure).lexically_normal();
  if (failure) return complain(globals, ExitCode::usage, options.directory + ": " + failure.message());

  CheckoutStream stream(globals);
  Result<Answer> answer = Error(Errc::io, "nothing was asked");
  {
    Progress progress(globals.json ? ProgressStyle::none : progress_style(globals.quiet), [&] {
      const api::CheckoutEvent latest = stream.latest();
      ProgressFigures now;
      now.doing = "checked out";
      now.done = latest.linked + latest.copied + latest.present;
      now.done_bytes = latest.bytes;
      return progress_line(now);
    });
    stream.show_on(progress);
    Request request;
    request.method = "POST";
    request.target = checkout_target(options, directory);
    request.text = "";
    request.headers = {"Accept: application/x-ndjson"};
    request.stall_timeout = std::chrono::seconds(0);  // a large file that is copied takes its time
    request.sink = [&](const AnswerHead&, std::string_view bytes) {
      stream.feed(bytes);
      return true;
    };
    ServerConnection connection(globals.server);
    answer = connection.perform(request);
  }
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, directory.native(), *answer);
  if (!stream.failure().empty())
    return complain(globals, ExitCode::server, directory.native() + ": " + stream.failure());
  const api::CheckoutEvent counts = stream.latest();
  if (!counts.done)
    return complain(globals, ExitCode::server, "the server ended the answer before it was done");
  if (!globals.json && (!globals.quiet || counts.failed > 0)) print_summary(counts, options, directory);
  return counts.failed > 0 ? ExitCode::incomplete : ExitCode::well;
}

}  // namespace larder::client
