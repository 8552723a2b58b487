#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>

#include "client/commands.hpp"
#include "client/file_digest.hpp"
#include "client/get_plan.hpp"
#include "client/interrupt.hpp"
#include "client/local_file.hpp"
#include "client/progress.hpp"
#include "client/retry.hpp"
#include "common/artifact_key.hpp"
#include "common/hasher.hpp"
#include "common/percent.hpp"

namespace larder::client {
namespace {

Result<void> write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return posix_error("write", "the output", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

bool is_file_of(const std::filesystem::path& path, int descriptor) {
  struct stat there = {};
  struct stat open = {};
  return ::lstat(path.c_str(), &there) == 0 && ::fstat(descriptor, &open) == 0 &&
         there.st_dev == open.st_dev && there.st_ino == open.st_ino;
}

// Where a download goes: a partial file that is renamed when it is whole, or
// standard output, which cannot be taken back.
class Target {
 public:
  virtual ~Target() = default;
  virtual Result<void> append(std::string_view bytes) = 0;
  virtual Result<void> restart() = 0;
  virtual void remember_etag(const std::string& etag) = 0;
  virtual Result<void> publish() = 0;  // all bytes are there and right
  virtual void discard() = 0;          // all bytes are there and wrong
};

class FileTarget final : public Target {
 public:
  static Result<std::unique_ptr<FileTarget>> open(const std::filesystem::path& output,
                                                  const std::string& url) {
    std::filesystem::path partial = output;
    partial.replace_filename(partial_name(url));
    while (true) {
      LARDER_TRY_ASSIGN(LocalFile file,
                        LocalFile::open(partial, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0666));
      if (::flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0)
        return Error(Errc::busy, "another larder fetches the same into " + partial.native());
      // Or has just finished: then what was opened is its, and has its final name.
      if (is_file_of(partial, file.descriptor()))
        return std::unique_ptr<FileTarget>(new FileTarget(output, partial, std::move(file)));
    }
  }

  // What an earlier attempt left, read back into `hasher`.
  Result<Partial> left_over(Hasher& hasher) {
    Partial partial;
    std::getline(std::ifstream(etag_file()) >> std::ws, partial.etag);
    LARDER_TRY_ASSIGN(const FileState state, file_.state());
    partial.bytes = state.size;
    if (partial.can_resume()) {
      LARDER_TRY(feed_file(file_.descriptor(), hasher));
      return partial;
    }
    LARDER_TRY(restart());
    return Partial{};
  }

  Result<void> append(std::string_view bytes) override { return write_all(file_.descriptor(), bytes); }

  Result<void> restart() override {
    if (::ftruncate(file_.descriptor(), 0) == 0) return {};
    return posix_error("empty", partial_.native(), errno);
  }

  void remember_etag(const std::string& etag) override {
    std::ofstream(etag_file(), std::ios::trunc) << etag << "\n";
  }

  Result<void> publish() override {
    if (::fsync(file_.descriptor()) != 0) return posix_error("sync", partial_.native(), errno);
    if (::rename(partial_.c_str(), output_.c_str()) != 0) return posix_error("name", output_.native(), errno);
    ::unlink(etag_file().c_str());
    return {};
  }

  void discard() override {
    ::unlink(partial_.c_str());
    ::unlink(etag_file().c_str());
  }

 private:
  FileTarget(std::filesystem::path output, std::filesystem::path partial, LocalFile file)
      : output_(std::move(output)), partial_(std::move(partial)), file_(std::move(file)) {}

  std::string etag_file() const { return partial_.native() + ".etag"; }

  std::filesystem::path output_;
  std::filesystem::path partial_;
  LocalFile file_;
};

class OutputTarget final : public Target {
 public:
  Result<void> append(std::string_view bytes) override {
    started_ = true;
    return write_all(STDOUT_FILENO, bytes);
  }
  Result<void> restart() override {
    if (!started_) return {};
    return Error(Errc::conflict, "the object changed on the server after a part of it was written out");
  }
  void remember_etag(const std::string&) override {}
  Result<void> publish() override { return {}; }
  void discard() override {}

 private:
  bool started_ = false;
};

// One object on its way here, over as many requests as it takes.
class Download {
 public:
  Download(const Globals& globals, const GetOptions& options, Target& target, Partial partial, Hasher hasher)
      : options_(options),
        connection_(globals.server),
        target_(target),
        partial_(std::move(partial)),
        hasher_(std::move(hasher)),
        resumed_from_(partial_.bytes),
        progress_(progress_style(globals.quiet), [this] { return line(); }) {}

  // The last answer, 2xx when all bytes have come. `refused` of a 404 and the like
  // is an answer, too.
  Result<Answer> run() {
    Retry retry(options_.retry_for);
    while (true) {
      const std::uint64_t before = bytes_;
      Result<Answer> answer = once();
      if (write_error_) return *write_error_;
      const bool passing = answer ? is_passing_status(answer->status()) : is_passing_error(answer.error());
      if (!passing) return answer;
      if (bytes_ != before) retry = Retry(options_.retry_for);  // it moved: patience starts anew
      const auto delay = retry.next_delay(std::chrono::steady_clock::now());
      if (!delay) return answer;
      progress_.note("larder: " + (answer ? describe_refusal(*answer) : answer.error().message()) +
                     "; trying again");
      if (!wait_uninterrupted(*delay)) return Error(Errc::cancelled, "interrupted");
    }
  }

  // What went wrong here, and not on the way.
  const std::optional<Error>& write_error() const { return write_error_; }
  Digest finish() { return hasher_.finish(); }
  const std::string& etag() const { return partial_.etag; }
  std::uint64_t bytes() const { return partial_.bytes; }
  std::uint64_t resumed_from() const { return resumed_from_; }

 private:
  Result<Answer> once() {
    Request request;
    request.target = percent_encode("/" + options_.name);
    request.headers = resume_headers(partial_);
    request.headers.emplace_back("Accept: */*");
    const Partial asked = partial_;
    bool begun = false;
    request.sink = [&](const AnswerHead& head, std::string_view bytes) {
      if (!begun && !begin(asked, head)) return false;
      begun = true;
      return take(bytes);
    };
    Result<Answer> answer = connection_.perform(request);
    // An empty object has no piece that would have begun it.
    if (answer && answer->ok() && !begun) begin(asked, answer->head);
    return answer;
  }

  bool begin(const Partial& asked, const AnswerHead& head) {
    const GetStep step = get_step(asked, head.status, head.header("content-range"));
    if (step == GetStep::append) return true;
    if (step != GetStep::restart)
      return fail(Error(Errc::io, "the server sent a range that was not asked for"));
    const auto emptied = target_.restart();
    if (!emptied) return fail(emptied.error());
    hasher_ = Hasher();
    resumed_from_ = 0;
    partial_ = {0, head.header("etag")};
    bytes_ = 0;
    target_.remember_etag(partial_.etag);
    return true;
  }

  bool take(std::string_view bytes) {
    const auto written = target_.append(bytes);
    if (!written) return fail(written.error());
    hasher_.update(bytes);
    partial_.bytes += bytes.size();
    bytes_ = partial_.bytes;
    return true;
  }

  bool fail(const Error& error) {
    write_error_ = error;
    return false;
  }

  std::string line() const {
    ProgressFigures now;
    now.doing = "got";
    now.done_bytes = bytes_;
    now.elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start_);
    return progress_line(now);
  }

  const GetOptions& options_;
  ServerConnection connection_;
  Target& target_;
  Partial partial_;
  Hasher hasher_;
  std::uint64_t resumed_from_;
  std::optional<Error> write_error_;
  std::atomic<std::uint64_t> bytes_{0};
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  Progress progress_;  // last: its thread reads the members above
};

ExitCode report(const Globals& globals, const GetOptions& options, const Download& download,
                const Digest& digest) {
  if (!globals.json) return ExitCode::well;
  // With `-o -` the object itself has standard output.
  std::ostream& out = options.output == "-" ? std::cerr : std::cout;
  out << boost::json::serialize(boost::json::object{{"path", options.name},
                                                    {"bytes", download.bytes()},
                                                    {"sha256", digest.hex()},
                                                    {"resumed_from", download.resumed_from()}})
      << "\n";
  return ExitCode::well;
}

enum class Attempt { resumed, last };

ExitCode download_to(const Globals& globals, const GetOptions& options, Target& target, Partial partial,
                     Hasher hasher, Attempt attempt);

ExitCode finish(const Globals& globals, const GetOptions& options, Download& download, Target& target,
                Attempt attempt) {
  const Digest digest = download.finish();
  const auto promised = digest_of_etag(download.etag());
  if (!promised) {
    target.discard();
    return complain(
        globals, ExitCode::server,
        options.name +
            ": the answer states no SHA-256, so nothing was kept (a proxy's page, or no larder server?)");
  }
  if (*promised == digest) {
    const auto published = target.publish();
    if (!published) return complain(globals, ExitCode::incomplete, published.error().message());
    return report(globals, options, download, digest);
  }
  // What an earlier attempt left may have been damaged since; from scratch, then.
  if (attempt == Attempt::resumed && download.resumed_from() > 0 && target.restart()) {
    return download_to(globals, options, target, {}, {}, Attempt::last);
  }
  target.discard();
  return complain(globals, ExitCode::incomplete,
                  options.name + ": the bytes have the digest " + digest.hex() + ", not the promised " +
                      promised->hex() + "; nothing was kept");
}

ExitCode download_to(const Globals& globals, const GetOptions& options, Target& target, Partial partial,
                     Hasher hasher, Attempt attempt) {
  constexpr int k_not_found = 404;
  constexpr int k_range_not_satisfiable = 416;
  Download download(globals, options, target, std::move(partial), std::move(hasher));
  const auto answer = download.run();
  if (download.write_error())
    return complain(globals, ExitCode::incomplete, download.write_error()->message());
  if (!answer) return complain(globals, answer.error());
  // 416: nothing is left to send. What is here is the whole, or none of it is right.
  if (answer->ok() || answer->status() == k_range_not_satisfiable) {
    return finish(globals, options, download, target, attempt);
  }
  if (answer->status() == k_not_found) target.discard();
  return complain(globals, options.name, *answer);
}

}  // namespace

ExitCode run_get(const Globals& globals, const GetOptions& given) {
  GetOptions options = given;
  const auto key = ArtifactKey::parse(options.name.starts_with('/') ? options.name.substr(1) : options.name);
  if (!key) return complain(globals, ExitCode::usage, "'" + options.name + "': " + key.error().message());
  options.name = key->str();
  if (options.output == "-") {
    OutputTarget target;
    return download_to(globals, options, target, {}, {}, Attempt::last);
  }
  std::filesystem::path output = options.output;
  if (output.empty()) output = key->file_name();
  std::error_code failure;
  if (std::filesystem::is_directory(output, failure)) output /= key->file_name();

  auto target = FileTarget::open(output, globals.server.base + "/" + options.name);
  if (!target) {
    const bool busy = target.error().code() == Errc::busy;
    return complain(globals, busy ? ExitCode::incomplete : ExitCode::usage, target.error().message());
  }
  Hasher hasher;
  auto partial = (*target)->left_over(hasher);
  if (!partial) return complain(globals, partial.error());
  return download_to(globals, options, **target, std::move(*partial), std::move(hasher), Attempt::resumed);
}

}  // namespace larder::client
