#include "client/seed_upload.hpp"

#include <algorithm>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "client/file_digest.hpp"
#include "client/interrupt.hpp"
#include "client/local_file.hpp"
#include "client/retry.hpp"
#include "client/seed_batch.hpp"
#include "common/percent.hpp"
#include "common/upload_batch.hpp"

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
  // Until the server, or a proxy before it, says that it knows no such request, or cuts it off.
  std::atomic<bool> together{true};

 private:
  SeedSummary& summary_;
  std::mutex mutex_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopped_{false};
};

// A group on its way.
struct Sending {
  const PlannedGroup* group;
  std::optional<Fate> archive;  // once it is known
};

class Worker {
 public:
  explicit Worker(Shared& shared) : shared_(shared), connection_(shared.context.server) {}

  void run() {
    for (auto groups = some_groups(); !groups.empty(); groups = some_groups()) send(groups);
  }

 private:
  // As many as fill a request with their small files, and no more than this worker's share of all; one with a
  // large file is the last.
  std::vector<Sending> some_groups() {
    std::vector<Sending> groups;
    std::uint64_t bytes = 0;
    const std::size_t share = std::clamp<std::size_t>(
        shared_.plan.groups.size() / (2 * std::max(1u, shared_.context.jobs)), 1, k_most_uploads);
    while (bytes < SeedBatch::k_most_bytes && groups.size() < share) {
      const PlannedGroup* const group = shared_.next_group();
      if (group == nullptr) break;
      groups.push_back({group, std::nullopt});
      for (const PlannedFile& file : group->files)
        if (file.is_missing())
          bytes += SeedBatch::takes(file) ? file.file.state.size : SeedBatch::k_most_bytes;
      if (!shared_.together) break;
    }
    return groups;
  }

  // The archives first: what becomes of them decides about their companions.
  void send(std::vector<Sending>& groups) {
    for (Sending& each : groups) {
      for (const PlannedFile& file : each.group->files) {
        const auto present = std::count_if(file.names.begin(), file.names.end(),
                                           [](const PlannedName& name) { return !name.missing; });
        shared_.add_present(static_cast<std::uint64_t>(present));
        if (file.role != GroupRole::archive) continue;
        each.archive = Fate::unasked;
        if (file.is_missing()) send(file, &each.archive);
      }
    }
    send_batch();
    for (Sending& each : groups) {
      if (shared_.is_ending()) break;
      for (const PlannedFile& file : each.group->files) {
        const bool companion = file.role != GroupRole::archive;
        if (!companion || !file.is_missing()) continue;
        if (each.archive && !may_follow(file, *each.group, *each.archive)) continue;
        send(file, nullptr);
      }
    }
    send_batch();
  }

  // At once, or with others; `fate` is told, in the end.
  void send(const PlannedFile& file, std::optional<Fate>* fate) {
    if (fate != nullptr) *fate = Fate::not_sent;
    if (shared_.is_ending()) return;
    if (!shared_.together || !SeedBatch::takes(file)) return send_alone(file, fate);
    if (!batch_.has_room_for(file)) send_batch();
    const auto content =
        read_steadily(path_of(file), file.file.path, check_of(file), SeedBatch::k_small, small_);
    if (!content) return report_unreadable(file, content.error());
    if (!*content) return send_alone(file, fate);  // it has grown
    batch_.add(file, **content, small_);
    fates_.emplace(&file, fate);
  }

  void send_alone(const PlannedFile& file, std::optional<Fate>* fate) {
    const Fate one = send_file(file);
    if (fate != nullptr) *fate = one;
  }

  void send_batch() {
    if (batch_.is_empty()) return;
    if (!shared_.is_ending()) shared_.together ? perform_batch() : send_each();
    batch_.clear();
    fates_.clear();
  }

  void perform_batch() {
    const UploadContext& context = shared_.context;
    const Request request = batch_.request(context.name_space, context.build);
    auto answer = connection_.perform(request);
    if (answer && is_passing_status(answer->status()))
      answer = connection_.perform_patiently(request, context.patience, context.on_note);
    if (!answer) {
      if (answer.error().code() == Errc::cancelled) return;
      if (!is_passing_error(answer.error())) return shared_.stop(answer.error().message());
      // It restarts, which the single requests outwait, or something on the way cuts such requests off:
      // then the next one breaks as well.
      if (last_batch_broke_) shared_.together = false;
      last_batch_broke_ = true;
      return send_each();
    }
    if (is_unknown_request(answer->status())) {
      shared_.together = false;
      return send_each();
    }
    last_batch_broke_ = false;
    std::vector<Answer> each(batch_.items().size(), *answer);  // what is refused, is refused to all
    if (answer->ok()) {
      auto told = batch_.answers(answer->body);
      if (!told) return shared_.stop("the server's answer about several uploads is not understood");
      each = std::move(*told);
    }
    for (std::size_t i = 0; i < each.size(); ++i) {
      const bool again = answer->ok() && is_passing_status(each[i].status());
      remember(batch_.items()[i],
               again ? put_alone(batch_.items()[i]) : record_one(batch_.items()[i], each[i]));
    }
  }

  // An older larder (404, 405), or a proxy that lets no such request through (413, 501).
  static bool is_unknown_request(int status) {
    return status == 404 || status == 405 || status == 413 || status == 501;
  }

  Fate record_one(const SeedBatch::Item& item, const Answer& answer) {
    shared_.figures.names += 1;
    shared_.figures.bytes += item.content.size;
    return record(*item.file, *item.name, item.content, answer);
  }

  // With the patience that a request of its own has.
  Fate put_alone(const SeedBatch::Item& item) {
    if (shared_.is_ending()) return Fate::not_sent;
    const auto read = read_whole(*item.file);
    if (read) return put(*item.file, *item.name, *read);
    report_unreadable(*item.file, read.error());
    return Fate::not_sent;
  }

  void send_each() {
    for (const SeedBatch::Item& item : batch_.items()) remember(item, put_alone(item));
  }

  // A file is where all of its names are; it was not sent until the first of them says otherwise.
  void remember(const SeedBatch::Item& item, Fate one) {
    std::optional<Fate>* const fate = fates_.at(item.file);
    if (fate == nullptr) return;
    const bool first = item.name == first_missing(*item.file);
    if (first || one != Fate::on_server) *fate = one;
  }

  static const PlannedName* first_missing(const PlannedFile& file) {
    const auto found = std::find_if(file.names.begin(), file.names.end(),
                                    [](const PlannedName& name) { return name.missing; });
    return found == file.names.end() ? nullptr : &*found;
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
    const auto file = LocalFile::open(path_of(archive), O_RDONLY | O_NOFOLLOW);
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

  Result<ReadFile> read_whole(const PlannedFile& file) const {
    return read_steadily(path_of(file), file.file.path, check_of(file));
  }

  std::filesystem::path path_of(const PlannedFile& file) const {
    return shared_.context.directory / file.file.path;
  }

  CheckArchive check_of(const PlannedFile& file) const {
    const bool checked = shared_.context.verify && file.role == GroupRole::archive;
    return checked ? CheckArchive::yes : CheckArchive::no;
  }

  Fate put(const PlannedFile& file, const PlannedName& name, const ReadFile& read) {
    const Request request = put_request(name.name, read);
    const auto answer =
        connection_.perform_patiently(request, shared_.context.patience, shared_.context.on_note);
    shared_.figures.names += 1;
    if (answer) return record(file, name, read.content, *answer);
    if (answer.error().code() == Errc::cancelled) return Fate::not_sent;
    if (is_passing_error(answer.error())) {
      shared_.stop("the server does not answer: " + answer.error().message());
      return Fate::not_sent;
    }
    shared_.add(&SeedSummary::failed, {file.file.path, answer.error().message(), "", ""});
    return Fate::not_sent;
  }

  Fate record(const PlannedFile& file, const PlannedName& name, const Content& content,
              const Answer& answer) {
    switch (put_outcome(answer.status(), name)) {
      case PutOutcome::stored: shared_.add_sent(content.size); return Fate::on_server;
      case PutOutcome::same: shared_.add_present(1); return Fate::on_server;
      case PutOutcome::conflict: {
        const api::Problem problem = problem_of(answer);
        shared_.add(&SeedSummary::conflicts, {name.name, "", problem.existing, content.digest.hex()});
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
                       "Repr-Digest: sha-256=:" + read.content.digest.base64() + ":"};
    if (!shared_.context.build.empty()) request.headers.push_back("Larder-Build: " + shared_.context.build);
    FileBody body;
    body.descriptor = read.file.descriptor();
    body.size = read.content.size;
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
  SeedBatch batch_;
  std::unordered_map<const PlannedFile*, std::optional<Fate>*> fates_;  // of the batch; null: nobody asks
  std::string small_;                                                   // the bytes of a file
  bool last_batch_broke_ = false;                                       // without an answer
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
