#include <algorithm>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "client/ask.hpp"
#include "client/commands.hpp"
#include "client/diff.hpp"
#include "client/line_splitter.hpp"
#include "client/prune.hpp"
#include "client/text.hpp"
#include "common/percent.hpp"
#include "common/snapshot_api.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

Result<api::SnapshotRequest> request_of(const SnapshotOptions& options) {
  api::SnapshotRequest request;
  request.name = options.name;
  request.namespaces = options.namespaces;
  if (!options.stamps.empty()) {
    LARDER_TRY_ASSIGN(request.hashes, hashes_of_stamps(options.stamps));
    if (request.hashes.empty())
      return Error(Errc::invalid_argument,
                   "there are no stamps below " + options.stamps + "; is this BitBake's tmp/stamps?");
  }
  if (!options.list.empty()) {
    LARDER_TRY_ASSIGN(const std::string text, text_of_file(options.list));
    request.names = names_of_list(text);
    if (request.names.empty()) return Error(Errc::invalid_argument, options.list + " names nothing");
  }
  return request;
}

std::string line_of(const api::SnapshotStat& stat) {
  std::uint64_t artifacts = 0;
  std::uint64_t bytes = 0;
  for (const auto& each : stat.namespaces) {
    artifacts += each.artifacts;
    bytes += each.bytes;
  }
  return left(stat.name, 24) + "  " + left(local_time(stat.created), 16) + right(grouped(artifacts), 12) +
         right(human_size(bytes), 12) + "\n";
}

std::string page_of(const api::SnapshotStat& stat) {
  std::string page = "@" + stat.name + "\n";
  for (const auto& each : stat.namespaces)
    page += "  " + left(each.name, 20) + right(grouped(each.artifacts), 12) + " artifacts, " +
            human_size(each.bytes) + "\n";
  if (stat.missing > 0) page += "  " + grouped(stat.missing) + " that were asked for are not there\n";
  return page;
}

ExitCode create(const Globals& globals, const SnapshotOptions& options) {
  const auto request = request_of(options);
  if (!request) return complain(globals, ExitCode::usage, request.error().message());
  const auto answer = ask(globals, "POST", std::string(api::k_snapshots), api::to_json(*request));
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, options.name, *answer);
  const auto stat = api::snapshot_stat_from_json(answer->body);
  if (!stat) return complain(globals, stat.error());
  if (globals.json) std::cout << answer->body;
  if (!globals.json && !globals.quiet) std::cout << page_of(*stat);
  return stat->missing > 0 ? ExitCode::incomplete : ExitCode::well;
}

ExitCode list(const Globals& globals, const SnapshotOptions& options) {
  const auto answer = ask(globals, "GET", std::string(api::k_snapshots));
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, "snapshots", *answer);
  bool found = options.name.empty();
  LineSplitter lines([&](std::string_view line) {
    const auto stat = api::snapshot_stat_from_json(line);
    if (!stat || (!options.name.empty() && stat->name != options.name)) return;
    found = true;
    if (globals.json)
      std::cout << line << "\n";
    else
      std::cout << (options.name.empty() ? line_of(*stat) : page_of(*stat));
  });
  lines.feed(answer->body);
  if (!found) return complain(globals, ExitCode::incomplete, "there is no snapshot " + options.name);
  return ExitCode::well;
}

// Each namespace that it holds with what that is now; the worst of what they end with.
ExitCode diff(const Globals& globals, const SnapshotOptions& options) {
  const auto answer = ask(globals, "GET", std::string(api::k_snapshots));
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, "snapshots", *answer);
  std::optional<api::SnapshotStat> snapshot;
  LineSplitter lines([&](std::string_view line) {
    auto stat = api::snapshot_stat_from_json(line);
    if (stat && stat->name == options.name) snapshot = std::move(*stat);
  });
  lines.feed(answer->body);
  if (!snapshot) return complain(globals, ExitCode::incomplete, "there is no snapshot " + options.name);
  ExitCode worst = ExitCode::well;
  for (const auto& each : snapshot->namespaces) {
    DiffOptions both;
    both.a = "@" + options.name + "/" + each.name;
    both.b = each.name;
    both.summary = options.summary;
    worst = std::max(worst, run_diff(globals, both));
    if (worst > ExitCode::incomplete) break;  // the next one would fail alike
  }
  return worst;
}

ExitCode remove(const Globals& globals, const SnapshotOptions& options) {
  const auto answer =
      ask(globals, "DELETE", std::string(api::k_snapshots) + "?name=" + percent_encode(options.name));
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, options.name, *answer);
  if (globals.json) std::cout << answer->body;
  if (!globals.json && !globals.quiet) std::cout << "snapshot " << options.name << " is gone\n";
  return ExitCode::well;
}

ExitCode restore(const Globals& globals, const SnapshotOptions& options) {
  const auto answer =
      ask(globals, "POST", std::string(api::k_restore) + "?name=" + percent_encode(options.name), "");
  if (!answer) return complain(globals, answer.error());
  if (!answer->ok()) return complain(globals, options.name, *answer);
  const auto result = api::restore_result_from_json(answer->body);
  if (!result) return complain(globals, result.error());
  if (globals.json) std::cout << answer->body;
  if (!globals.json && !globals.quiet)
    std::cout << grouped(result->restored) << " names are back, " << grouped(result->present)
              << " were there, " << grouped(result->conflicts) << " hold other bytes and stay\n";
  return result->conflicts > 0 ? ExitCode::incomplete : ExitCode::well;
}

}  // namespace

ExitCode run_snapshot(const Globals& globals, const SnapshotOptions& options) {
  using Verb = SnapshotOptions::Verb;
  switch (options.verb) {
    case Verb::create: return create(globals, options);
    case Verb::restore: return restore(globals, options);
    case Verb::remove: return remove(globals, options);
    case Verb::diff: return diff(globals, options);
    case Verb::list:
    case Verb::show: return list(globals, options);
  }
  return ExitCode::usage;
}

}  // namespace larder::client
