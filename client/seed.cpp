#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <optional>

#include "client/commands.hpp"
#include "client/interrupt.hpp"
#include "client/progress.hpp"
#include "client/seed_plan.hpp"
#include "client/seed_questions.hpp"
#include "client/seed_scan.hpp"
#include "client/seed_summary.hpp"
#include "client/seed_upload.hpp"
#include "client/text.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

struct ToSend {
  std::uint64_t names = 0;
  std::uint64_t bytes = 0;
  std::uint64_t present = 0;
};

ToSend to_send(const SeedPlan& plan) {
  ToSend sum;
  for (const PlannedGroup& group : plan.groups) {
    for (const PlannedFile& file : group.files) {
      for (const PlannedName& name : file.names) {
        if (!name.missing) {
          ++sum.present;
          continue;
        }
        ++sum.names;
        sum.bytes += file.file.state.size;
      }
    }
  }
  return sum;
}

Result<NamespaceKind> kind_on_server(const api::Stat& stat, const std::string& name_space) {
  std::string known;
  for (const api::NamespaceStat& each : stat.namespaces) {
    known += (known.empty() ? "" : ", ") + each.name;
    if (each.name != name_space) continue;
    const auto kind = namespace_kind(each.kind);
    if (kind) return *kind;
    return Error(Errc::not_supported, "this larder does not know the kind '" + each.kind +
                                          "' of the namespace " + name_space + "; say --kind");
  }
  return Error(Errc::invalid_argument, "the server has no namespace '" + name_space + "'; it has: " + known);
}

// All workers meet the same outage; one line every few seconds says it.
class TroubleGate {
 public:
  bool opens() {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (last_ && now - *last_ < std::chrono::seconds(5)) return false;
    last_ = now;
    return true;
  }

 private:
  std::mutex mutex_;
  std::optional<std::chrono::steady_clock::time_point> last_;
};

class Seed {
 public:
  Seed(const Globals& globals, const SeedOptions& options)
      : globals_(globals), options_(options), connection_(globals.server) {
    summary_.server = globals.server.base;
    summary_.name_space = options.name_space;
    summary_.dry_run = options.dry_run;
  }

  Result<void> prepare() {
    // A wrong address should show soon, and so should a server that takes connections and says nothing: it is
    // asked twice. Later, one that is away may be waited for.
    const auto first_contact = std::min(options_.retry_for, std::chrono::milliseconds(5000));
    constexpr std::chrono::seconds k_first_silence(10);
    LARDER_TRY_ASSIGN(const api::Stat stat, fetch_stat(connection_, first_contact, k_first_silence));
    LARDER_TRY_ASSIGN(kind_, kind_on_server(stat, options_.name_space));
    if (options_.kind) kind_ = *options_.kind;

    LARDER_TRY_ASSIGN(Scan scan, scan_tree(options_.directory, kind_));
    summary_.left_out = std::move(scan.left_out);
    for (const Error& error : scan.unreadable)
      summary_.failed.push_back({options_.directory, error.message(), "", ""});
    plan_ = plan_seed(kind_, std::move(scan.files));
    for (NameClash& clash : plan_.clashes) {
      summary_.clashes.push_back({clash.path, "another file is served as " + clash.name, "", ""});
    }
    return ask();
  }

  void send() {
    const ToSend sum = to_send(plan_);
    if (options_.dry_run) {
      summary_.sent = sum.names;
      summary_.sent_bytes = sum.bytes;
      summary_.present = sum.present;
      return;
    }
    upload(sum);
    summary_.present = std::max(summary_.present, sum.present);
    const std::uint64_t handled =
        summary_.sent + (summary_.present - sum.present) + summary_.conflicts.size();
    const bool ended_early = summary_.interrupted || !summary_.stopped.empty();
    summary_.unsent = ended_early && handled < sum.names ? sum.names - handled : 0;
  }

  ExitCode report(std::chrono::milliseconds duration) {
    summary_.duration = duration;
    const Detail detail = options_.verbose ? Detail::names : Detail::counts;
    if (globals_.json) {
      std::cout << summary_json(summary_, detail) << "\n";
    } else if (!globals_.quiet || summary_.exit_code() != ExitCode::well) {
      std::cout << summary_text(summary_, detail);
    }
    return summary_.exit_code();
  }

 private:
  Result<void> ask() {
    QuestionContext context;
    context.directory = options_.directory;
    context.name_space = options_.name_space;
    context.kind = kind_;
    context.compare = options_.compare;
    context.patience = options_.retry_for;
    context.on_trouble = [this](const std::string& why) {
      if (!globals_.quiet && gate_.opens()) std::cerr << trouble_line(why) << "\n";
    };
    return mark_missing(connection_, context, plan_);
  }

  void upload(const ToSend& sum) {
    UploadFigures figures;
    const auto start = std::chrono::steady_clock::now();
    Progress progress(progress_style(globals_.quiet), [&] {
      ProgressFigures now;
      now.doing = "sent";
      now.done = figures.names;
      now.total = sum.names;
      now.done_bytes = figures.bytes;
      now.total_bytes = sum.bytes;
      now.elapsed =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
      return progress_line(now);
    });
    UploadContext context;
    context.directory = options_.directory;
    context.server = globals_.server;
    context.name_space = options_.name_space;
    context.jobs = options_.jobs;
    context.verify = options_.verify;
    context.build = options_.build;
    context.patience = options_.retry_for;
    context.on_note = [&](const std::string& why) {
      if (gate_.opens()) progress.note(trouble_line(why));
    };
    upload_missing(context, plan_, figures, summary_);
  }

  std::string trouble_line(const std::string& why) const {
    return "larder: " + printable(why) + "; trying again for up to " + human_duration(options_.retry_for);
  }

  const Globals& globals_;
  const SeedOptions& options_;
  ServerConnection connection_;
  NamespaceKind kind_ = NamespaceKind::generic;
  TroubleGate gate_;
  SeedPlan plan_;
  SeedSummary summary_;
};

}  // namespace

ExitCode run_seed(const Globals& globals, const SeedOptions& options) {
  std::error_code failure;
  if (!std::filesystem::is_directory(options.directory, failure)) {
    return complain(globals, ExitCode::usage, "'" + options.directory + "' is not a directory");
  }
  if (::access(options.directory.c_str(), R_OK | X_OK) != 0) {
    return complain(globals, ExitCode::usage, posix_error("read", options.directory, errno).message());
  }
  const auto start = std::chrono::steady_clock::now();
  Seed seed(globals, options);
  const Result<void> prepared = seed.prepare();
  if (!prepared) {
    const Errc code = prepared.error().code();
    if (code == Errc::invalid_argument) return complain(globals, ExitCode::usage, prepared.error().message());
    return complain(globals, prepared.error());
  }
  seed.send();
  const auto duration = std::chrono::steady_clock::now() - start;
  return seed.report(std::chrono::duration_cast<std::chrono::milliseconds>(duration));
}

}  // namespace larder::client
