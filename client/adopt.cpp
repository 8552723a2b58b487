#include <filesystem>
#include <iostream>
#include <mutex>

#include "client/commands.hpp"
#include "client/line_splitter.hpp"
#include "client/progress.hpp"
#include "client/text.hpp"
#include "common/percent.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

std::string adopt_target(const AdoptOptions& options, const std::filesystem::path& directory) {
  std::string target = std::string(api::k_adopt) + "?namespace=" + percent_encode(options.name_space) +
                       "&directory=" + percent_encode(directory.native());
  if (!options.verify) target += "&verify=0";
  return target;
}

// Keeps the last counts of a stream of events, and passes on what people should see at once.
class AdoptStream {
 public:
  AdoptStream(const Globals& globals, Progress& progress) : globals_(globals), progress_(progress) {}

  void feed(std::string_view bytes) { lines_.feed(bytes); }

  api::AdoptEvent latest() {
    const std::lock_guard lock(mutex_);
    return latest_;
  }

 private:
  void take_line(std::string_view line) {
    const auto event = api::adopt_event_from_json(line);
    if (!event) return;
    if (globals_.json) std::cout << line << "\n" << std::flush;
    const bool is_news = !event->path.empty() && event->outcome != "skipped";
    if (is_news && !globals_.json) {
      progress_.note("larder: " + printable(event->path) + ": " + event->outcome + ": " +
                     printable(event->reason));
    }
    if (!event->path.empty()) return;
    const std::lock_guard lock(mutex_);
    latest_ = *event;
  }

  const Globals& globals_;
  Progress& progress_;
  LineSplitter lines_{[this](std::string_view line) { take_line(line); }};
  std::mutex mutex_;
  api::AdoptEvent latest_;
};

void print_summary(const api::AdoptEvent& counts, const AdoptOptions& options) {
  std::cout << options.directory << " into " << options.name_space << "\n"
            << "  adopted   " << grouped(counts.adopted) << " (" << human_size(counts.bytes) << ")\n"
            << "  present   " << grouped(counts.present) << "\n"
            << "  left out  " << grouped(counts.skipped) << "\n"
            << "  failed    " << grouped(counts.failed) << "\n";
}

}  // namespace

ExitCode run_adopt(const Globals& globals, const AdoptOptions& options) {
  std::error_code failure;
  const auto directory = std::filesystem::absolute(options.directory, failure).lexically_normal();
  if (failure) return complain(globals, ExitCode::usage, options.directory + ": " + failure.message());

  AdoptStream* stream_now = nullptr;
  api::AdoptEvent counts;
  Result<Answer> answer = Error(Errc::io, "nothing was asked");
  {
    Progress progress(globals.json ? ProgressStyle::none : progress_style(globals.quiet), [&] {
      ProgressFigures now;
      const api::AdoptEvent latest = stream_now != nullptr ? stream_now->latest() : api::AdoptEvent{};
      now.doing = "adopted";
      now.done = latest.adopted + latest.present;
      now.done_bytes = latest.bytes;
      return progress_line(now);
    });
    AdoptStream stream(globals, progress);
    stream_now = &stream;

    Request request;
    request.method = "POST";
    request.target = adopt_target(options, directory);
    request.text = "";
    request.headers = {"Accept: application/x-ndjson"};
    request.stall_timeout = std::chrono::seconds(0);  // one large archive can take its time
    request.sink = [&](const AnswerHead&, std::string_view bytes) {
      stream.feed(bytes);
      return true;
    };
    ServerConnection connection(globals.server);
    answer = connection.perform(request);
    counts = stream.latest();
  }
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, directory.native(), *answer);
  if (!counts.done)
    return complain(globals, ExitCode::server, "the server ended the answer before it was done");
  if (!globals.json && (!globals.quiet || counts.failed > 0)) print_summary(counts, options);
  return counts.failed > 0 ? ExitCode::incomplete : ExitCode::well;
}

}  // namespace larder::client
