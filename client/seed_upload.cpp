#include "client/seed_upload.hpp"

#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

#include "client/file_digest.hpp"
#include "client/interrupt.hpp"
#include "client/local_file.hpp"
#include "client/retry.hpp"
#include "common/archive_check.hpp"
#include "common/percent.hpp"

namespace larder::client {
namespace {

// What became of a file; decides what happens to its companions.
enum class Fate {
  on_server,  // these bytes are there now
  unasked,    // some bytes were there before and were not compared
  conflict,   // other bytes are there
  not_sent,
};

// What all workers share.
class Shared {
 public:
  Shared(const UploadContext& how, const SeedPlan& what, UploadFigures& seen, SeedSummary& summary)
      : context(how), plan(what), figures(seen), summary_(summary) {}

  const PlannedGroup* next_group() {
    while (!is_ending()) {
      const std::size_t index = next_++;
      if (index >= plan.groups.size()) return nullptr;
      if (plan.groups[index].is_missing()) return &plan.groups[index];
      for (const PlannedFile& file : plan.groups[index].files) add_present(file.names.size());
    }
    return nullptr;
  }

  bool is_ending() const { return stopped_ || interrupted(); }

  void add_present(std::uint64_t names) {
    const std::lock_guard lock(mutex_);
    summary_.present += names;
  }

  void add_sent(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    ++summary_.sent;
    summary_.sent_bytes += bytes;
  }

  void add(std::vector<Trouble> SeedSummary::*list, Trouble trouble) {
    const std::lock_guard lock(mutex_);
    (summary_.*list).push_back(std::move(trouble));
  }

  // The first reason is the one that is told.
  void stop(const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (summary_.stopped.empty()) summary_.stopped = why;
    stopped_ = true;
  }

  const UploadContext& context;
  const SeedPlan& plan;
  UploadFigures& figures;

 private:
  SeedSummary& summary_;
  std::mutex mutex_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopped_{false};
};

// A file that was read once, whole and unchanged.
struct ReadFile {
  LocalFile file;
  std::uint64_t size;
  Digest digest;
};

class Worker {
 public:
  explicit Worker(Shared& shared) : shared_(shared), connection_(shared.context.server) {}

  void run() {
    while (const PlannedGroup* group = shared_.next_group()) send_group(*group);
  }

 private:
  void send_group(const PlannedGroup& group) {
    std::optional<Fate> archive;  // of the group's archive, once it is known
    for (const PlannedFile& file : group.files) {
      const auto present = std::count_if(file.names.begin(), file.names.end(),
                                         [](const PlannedName& name) { return !name.missing; });
      shared_.add_present(static_cast<std::uint64_t>(present));
      const bool companion = file.role != GroupRole::archive;
      if (!file.is_missing()) {
        if (!companion) archive = Fate::unasked;
        continue;
      }
      if (companion && archive && !may_follow(file, group, *archive)) continue;
      const Fate fate = send_file(file);
      if (!companion) archive = fate;
    }
  }

  // A siginfo describes a hash and fits any archive of it. A signature fits the
  // very bytes it was made for: next to another build's archive it would make
  // every client that verifies refuse both.
  bool may_follow(const PlannedFile& file, const PlannedGroup& group, Fate archive) {
    if (archive == Fate::not_sent) return hold_back(file, "its archive was not sent");
    if (file.role != GroupRole::signature || archive == Fate::on_server) return true;
    if (archive == Fate::conflict) return hold_back(file, "the server has another build's archive");
    if (is_archive_on_server(*group.archive())) return true;
    return hold_back(file, "the archive on the server is not the one it signs");
  }

  bool hold_back(const PlannedFile& file, const std::string& why) {
    if (!shared_.is_ending()) shared_.add(&SeedSummary::held_back, {file.file.path, why, "", ""});
    return false;
  }

  bool is_archive_on_server(const PlannedFile& archive) {
    const auto file = LocalFile::open(shared_.context.directory / archive.file.path, O_RDONLY | O_NOFOLLOW);
    if (!file) return false;
    const auto digest = digest_of_file(file->descriptor());
    if (!digest) return false;
    Request request;
    request.method = "HEAD";
    request.target = target_of(archive.names.front().name);
    const auto answer = connection_.perform_patiently(request, shared_.context.patience);
    return answer && answer->ok() && answer->head.header("etag") == "\"" + digest->hex() + "\"";
  }

  Fate send_file(const PlannedFile& file) {
    auto read = read_whole(file);
    if (!read) {
      report_unreadable(file, read.error());
      return Fate::not_sent;
    }
    Fate fate = Fate::on_server;
    for (const PlannedName& name : file.names) {
      if (!name.missing) continue;
      const Fate one = put(file, name, *read);
      if (one != Fate::on_server) fate = one;
      if (one == Fate::not_sent) break;
    }
    return fate;
  }

  void report_unreadable(const PlannedFile& file, const Error& error) {
    const std::string& path = file.file.path;
    switch (error.code()) {
      case Errc::cancelled: return;
      case Errc::corrupt:
        return shared_.add(&SeedSummary::corrupt, {path, without_name(error, path), "", ""});
      case Errc::not_found: return shared_.add(&SeedSummary::changed, {path, "it vanished", "", ""});
      case Errc::busy: return shared_.add(&SeedSummary::changed, {path, error.message(), "", ""});
      default: return shared_.add(&SeedSummary::failed, {path, error.message(), "", ""});
    }
  }

  // Builds touch files on use, which changes no byte; so a file that changed while
  // it was read gets a second chance. busy: it does not keep still.
  Result<ReadFile> read_whole(const PlannedFile& planned) {
    constexpr int k_attempts = 2;
    for (int attempt = 0; attempt < k_attempts; ++attempt) {
      LARDER_TRY_ASSIGN(LocalFile file, LocalFile::open(shared_.context.directory / planned.file.path,
                                                        O_RDONLY | O_NOFOLLOW));
      LARDER_TRY_ASSIGN(const FileState before, file.state());
      const Result<Digest> digest = examine(planned, file.descriptor());
      LARDER_TRY_ASSIGN(const FileState after, file.state());
      if (before != after) continue;
      if (!digest) return digest.error();
      return ReadFile{std::move(file), after.size, *digest};
    }
    return Error(Errc::busy, "it changed while it was read");
  }

  Result<Digest> examine(const PlannedFile& planned, int descriptor) {
    if (shared_.context.verify && planned.role == GroupRole::archive) {
      LARDER_TRY(check_archive(descriptor, planned.file.path, interrupted));
    }
    return digest_of_file(descriptor);
  }

  Fate put(const PlannedFile& file, const PlannedName& name, const ReadFile& read) {
    const Request request = put_request(name.name, read);
    const auto answer =
        connection_.perform_patiently(request, shared_.context.patience, shared_.context.on_note);
    shared_.figures.names += 1;
    if (answer) return record(file, name, read, *answer);
    if (answer.error().code() == Errc::cancelled) return Fate::not_sent;
    if (is_passing_error(answer.error())) {
      shared_.stop("the server does not answer: " + answer.error().message());
      return Fate::not_sent;
    }
    shared_.add(&SeedSummary::failed, {file.file.path, answer.error().message(), "", ""});
    return Fate::not_sent;
  }

  Fate record(const PlannedFile& file, const PlannedName& name, const ReadFile& read, const Answer& answer) {
    switch (put_outcome(answer.status(), name)) {
      case PutOutcome::stored: shared_.add_sent(read.size); return Fate::on_server;
      case PutOutcome::same: shared_.add_present(1); return Fate::on_server;
      case PutOutcome::conflict: {
        const api::Problem problem = problem_of(answer);
        shared_.add(&SeedSummary::conflicts, {name.name, "", problem.existing, read.digest.hex()});
        return Fate::conflict;
      }
      case PutOutcome::damaged:
        shared_.add(&SeedSummary::changed, {file.file.path, describe_refusal(answer), "", ""});
        return Fate::not_sent;
      case PutOutcome::rejected:
        shared_.add(&SeedSummary::failed, {name.name, describe_refusal(answer), "", ""});
        return Fate::not_sent;
      case PutOutcome::stop: shared_.stop(describe_refusal(answer)); return Fate::not_sent;
    }
    return Fate::not_sent;
  }

  Request put_request(const std::string& name, const ReadFile& read) {
    Request request;
    request.method = "PUT";
    request.target = target_of(name);
    request.headers = {"Content-Type: application/octet-stream",
                       "Repr-Digest: sha-256=:" + read.digest.base64() + ":"};
    if (!shared_.context.build.empty()) request.headers.push_back("Larder-Build: " + shared_.context.build);
    FileBody body;
    body.descriptor = read.file.descriptor();
    body.size = read.size;
    body.on_sent = [this](std::uint64_t bytes) { shared_.figures.bytes += bytes; };
    request.file = std::move(body);
    return request;
  }

  std::string target_of(const std::string& name) const {
    return percent_encode("/" + shared_.context.name_space + "/" + name);
  }

  // The summary names the file already.
  static std::string without_name(const Error& error, const std::string& path) {
    const std::string prefix = path + ": ";
    return error.message().starts_with(prefix) ? error.message().substr(prefix.size()) : error.message();
  }

  Shared& shared_;
  ServerConnection connection_;
};

void sort_by_path(SeedSummary& summary) {
  for (auto list : {&SeedSummary::conflicts, &SeedSummary::corrupt, &SeedSummary::held_back,
                    &SeedSummary::changed, &SeedSummary::failed}) {
    auto& troubles = summary.*list;
    std::sort(troubles.begin(), troubles.end(),
              [](const Trouble& a, const Trouble& b) { return a.path < b.path; });
  }
}

}  // namespace

PutOutcome put_outcome(int status, const PlannedName& name) {
  switch (status) {
    case 200: return name.replaces ? PutOutcome::stored : PutOutcome::same;
    case 201:
    case 204: return PutOutcome::stored;
    case 409: return PutOutcome::conflict;
    case 422: return PutOutcome::damaged;
    // Somebody who may add, but not replace, goes on with the others.
    case 403: return name.replaces ? PutOutcome::rejected : PutOutcome::stop;
    case 401:
    case 405:
    case 429:
    case 502:
    case 503:
    case 504:
    case 507: return PutOutcome::stop;
    default: return PutOutcome::rejected;
  }
}

void upload_missing(const UploadContext& context, const SeedPlan& plan, UploadFigures& figures,
                    SeedSummary& summary) {
  Shared shared(context, plan, figures, summary);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1u, context.jobs); ++i) {
    threads.emplace_back([&shared] { Worker(shared).run(); });
  }
  for (std::thread& thread : threads) thread.join();
  summary.interrupted = interrupted();
  sort_by_path(summary);
}

}  // namespace larder::client
