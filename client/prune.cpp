#include "client/prune.hpp"

#include <fstream>
#include <iostream>
#include <sstream>

#include "client/ask.hpp"
#include "client/commands.hpp"
#include "client/line_splitter.hpp"
#include "client/progress.hpp"
#include "client/text.hpp"
#include "common/percent.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

Result<api::PruneRules> rules_of(const PruneOptions& options) {
  api::PruneRules rules = options.rules;
  for (const std::string& directory : options.stamps) {
    LARDER_TRY_ASSIGN(auto hashes, hashes_of_stamps(directory));
    if (hashes.empty())
      return Error(Errc::invalid_argument,
                   "there are no stamps below " + directory + "; is this BitBake's tmp/stamps?");
    rules.keep_hashes.insert(rules.keep_hashes.end(), hashes.begin(), hashes.end());
  }
  for (const std::string& file : options.keep_lists) {
    LARDER_TRY_ASSIGN(const std::string text, text_of_file(file));
    LARDER_TRY_ASSIGN(const auto names, names_to_keep(rules.name_space, file, text));
    rules.keep_names.insert(rules.keep_names.end(), names.begin(), names.end());
  }
  rules.apply = options.yes;
  rules.list = options.list;
  return rules;
}

void print_name(const api::PruneEvent& event) {
  std::cout << left(event.reason, 12) << right(human_size(event.size), 10) << "  "
            << local_time(event.last_use) << "  " << printable(event.path) << "\n";
}

std::string with_generation(std::string_view path, std::uint64_t generation) {
  return std::string(path) + (generation == 0 ? "" : "?generation=" + std::to_string(generation));
}

}  // namespace

Result<std::string> text_of_file(const std::string& file) {
  std::ostringstream text;
  if (file == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return posix_error("read", file, errno);
  text << stream.rdbuf();
  return text.str();
}

Result<std::vector<std::string>> hashes_of_stamps(const std::filesystem::path& stamps) {
  std::vector<std::string> hashes;
  std::error_code failure;
  for (std::filesystem::recursive_directory_iterator entry(stamps, failure), end; entry != end && !failure;
       entry.increment(failure)) {
    const std::string name = entry->path().filename();
    const std::string_view hash = hash_of_stamp(name);
    if (!hash.empty()) hashes.emplace_back(hash);
  }
  if (failure) return posix_error("read", stamps.native(), failure.value());
  return hashes;
}

ExitCode run_prune(const Globals& globals, const PruneOptions& options) {
  const auto rules = rules_of(options);
  if (!rules) return complain(globals, ExitCode::usage, rules.error().message());
  if (!api::selects_something(*rules))
    return complain(globals, ExitCode::usage, "no rule says what should go; see larder prune --help");

  api::PruneEvent latest;
  std::string failure;
  std::mutex mutex;
  LineSplitter lines([&](std::string_view line) {
    const auto problem = api::problem_from_json(line);
    if (problem && problem->status != 0) {
      failure = problem->detail;
      return;
    }
    const auto event = api::prune_event_from_json(line);
    if (!event) return;
    if (globals.json) std::cout << line << "\n" << std::flush;
    if (!event->path.empty()) {
      if (!globals.json) print_name(*event);
      return;
    }
    const std::lock_guard lock(mutex);
    latest = *event;
  });
  Result<Answer> answer = Error(Errc::io, "nothing was asked");
  {
    const bool quiet = globals.quiet || globals.json || options.list;
    Progress progress(progress_style(quiet), [&] {
      const std::lock_guard lock(mutex);
      ProgressFigures now;
      now.doing = "removed";
      now.done = latest.removed.names;
      now.done_bytes = latest.removed.bytes;
      return progress_line(now);
    });
    Request request;
    request.method = "POST";
    request.target = api::k_prune;
    request.text = api::to_json(*rules);
    request.stall_timeout = std::chrono::seconds(0);  // planning a large cache takes its time
    request.sink = [&](const AnswerHead&, std::string_view bytes) {
      lines.feed(bytes);
      return true;
    };
    ServerConnection connection(globals.server);
    answer = connection.perform(request);
  }
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, rules->name_space, *answer);
  if (!failure.empty()) return complain(globals, ExitCode::server, failure);
  if (!latest.done)
    return complain(globals, ExitCode::server, "the server ended the answer before it was done");
  if (!globals.json && !globals.quiet) std::cout << prune_page(*rules, latest);
  return ExitCode::well;
}

ExitCode run_undo(const Globals& globals, std::uint64_t generation) {
  const auto answer = ask(globals, "POST", with_generation(api::k_undo, generation), "");
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, "undo", *answer);
  const auto event = api::trash_event_from_json(answer->body);
  if (!event) return complain(globals, event.error());
  if (globals.json) std::cout << answer->body;
  if (!globals.json && !globals.quiet)
    std::cout << "generation " << event->generation << ": " << grouped(event->names) << " names are back ("
              << human_size(event->bytes) << ")\n";
  if (event->refused > 0 && !globals.json)
    std::cout << grouped(event->refused)
              << " stay in the trash: their names, or the archives that they sign, hold other bytes now\n";
  return event->refused > 0 ? ExitCode::incomplete : ExitCode::well;
}

ExitCode run_trash(const Globals& globals, const TrashOptions& options) {
  if (options.empty) {
    const auto answer = ask(globals, "DELETE", with_generation(api::k_trash, options.generation));
    if (!answer) return complain(globals, answer.error());
    if (!answer->ok()) return complain(globals, "trash", *answer);
    const auto event = api::trash_event_from_json(answer->body);
    if (!event) return complain(globals, event.error());
    if (globals.json) std::cout << answer->body;
    if (!globals.json && !globals.quiet)
      std::cout << grouped(event->names) << " names are gone for good, " << human_size(event->freed)
                << " freed on disk\n";
    return ExitCode::well;
  }
  const auto answer = ask(globals, "GET", std::string(api::k_trash));
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, "trash", *answer);
  if (globals.json) {
    std::cout << answer->body;
    return ExitCode::well;
  }
  std::vector<api::TrashGeneration> generations;
  LineSplitter lines([&](std::string_view line) {
    auto each = api::trash_generation_from_json(line);
    if (each) generations.push_back(std::move(*each));
  });
  lines.feed(answer->body);
  std::cout << trash_page(generations);
  return ExitCode::well;
}

ExitCode run_pin(const Globals& globals, const PinOptions& options) {
  std::string text;
  for (const std::string& each : options.patterns) text += each + "\n";
  for (const std::string& file : options.lists) {
    const auto list = text_of_file(file);
    if (!list) return complain(globals, ExitCode::usage, list.error().message());
    for (const std::string& each : names_of_list(*list)) text += each + "\n";
  }
  const std::string target(api::k_pins);
  if (text.empty() && options.unpin)
    return complain(globals, ExitCode::usage, "unpin needs patterns or --list FILE");
  const auto answer = text.empty() ? ask(globals, "GET", target)
                                   : ask(globals, options.unpin ? "DELETE" : "POST", target, text);
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, "pins", *answer);
  if (text.empty()) {
    std::cout << answer->body;
    return ExitCode::well;
  }
  const std::string count = answer->body.substr(0, answer->body.find('\n'));
  if (!globals.quiet) std::cout << count << (options.unpin ? " pins taken away\n" : " pins added\n");
  return options.unpin && count == "0" ? ExitCode::incomplete : ExitCode::well;
}

}  // namespace larder::client
