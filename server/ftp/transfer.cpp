// FtpSession, the part that moves bytes over data connections.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "common/archive_check.hpp"
#include "common/units.hpp"
#include "server/ftp/session.hpp"

namespace larder::ftp {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t k_piece = 256 << 10;   // bytes handed to the disk pool at once
constexpr std::size_t k_most_pending = 256;  // commands taken in during a transfer

std::string bytes_text(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " byte" : " bytes");
}

}  // namespace

// Data connections ------------------------------------------------------------

Task<bool> FtpSession::open_data(std::string preliminary) {
  aborted_ = false;
  watch_control(Taken::perhaps);
  answer_meanwhile();  // what came together with the command
  const std::chrono::milliseconds timeout = context_.config->ftp.connect_timeout;
  const SteadyTime deadline = steady_clock::now() + timeout;
  const asio::ip::address peer = connection_.peer();
  Result<void> opened = Error(Errc::cancelled, "Aborted");
  opening_ = true;
  if (!aborted_) opened = co_await data_.open(peer, deadline);
  opening_ = false;
  if (!opened || aborted_ || control_gone_) {
    if (aborted_) say(426, "Aborted");
    if (!aborted_) say(425, "The data connection did not come about within " + human_duration(timeout));
    end_record(aborted_ ? 426 : 425, "");
    co_return false;
  }
  say(150, preliminary);
  const bool said = co_await flush();
  if (!said || !control_.protects_data()) co_return said;
  const bool secured = co_await secure_data();
  co_return secured;
}

// Clients begin with TLS once they have seen the 150.
Task<bool> FtpSession::secure_data() {
  Connection& data = data_.connection();
  data.set_deadline(steady_clock::now() + context_.config->tls.handshake_timeout);
  std::shared_ptr<const TlsContext> tls = tls_;
  std::string scope = tls_scope_;
  const Connection::Secured outcome =
      co_await data.secure(std::move(tls), std::move(scope), Connection::Tickets::no);
  data.set_deadline(SteadyTime::max());
  if (outcome != Connection::Secured::yes) {
    refuse_data(aborted_ ? 426 : 522, aborted_ ? "Aborted" : "The data connection did not begin with TLS");
    co_return false;
  }
  if (data.resumed() || !context_.config->ftp.require_session_reuse) co_return true;
  refuse_data(
      522,
      "The data connection has to resume the TLS session of this one, so that nobody else can open it "
      "(require_session_reuse)");
  co_return false;
}

void FtpSession::refuse_data(int code, std::string_view text) {
  say(code, text);
  end_record(code, "");
}

// What was prepared holds for one transfer. A connection whose bytes are all sent stays
// until the next command tells whether they were read.
void FtpSession::end_data() {
  stop_watching();
  control_.data_is(DataMode::none);
  if (!sent_) data_.close();
}

void FtpSession::settle_sent() {
  if (!sent_) return;
  if (!data_.was_reset()) context_.repository.note_used(*sent_);
  sent_.reset();
  data_.close();
}

std::string FtpSession::interruption() const {
  if (aborted_) return "Aborted";
  return "The data connection broke or stood still, after " + bytes_text(moved_);
}

void FtpSession::watch_control(Taken taken) {
  if (!watch_) watch_ = std::make_shared<Watch>(Watch{this});
  auto look = [watch = watch_](ErrorCode error) {
    if (watch->session != nullptr && !error) watch->session->on_control_readable();
  };
  // What TLS has taken from the socket already, no wait for the socket tells of.
  if (taken == Taken::perhaps && connection_.is_secure())
    return asio::post(connection_.socket().get_executor(), [look] { look(ErrorCode()); });
  connection_.socket().async_wait(Socket::wait_read, std::move(look));
}

void FtpSession::stop_watching() {
  if (!watch_) return;
  watch_->session = nullptr;
  watch_.reset();
  ErrorCode ignored;
  connection_.socket().cancel(ignored);
}

void FtpSession::on_control_readable() {
  const auto said_quit = [this] {
    return std::any_of(pending_.begin(), pending_.end(),
                       [](const Command& each) { return each.verb == Verb::quit; });
  };
  const Connection::ReadOutcome read = connection_.try_read(input_);
  if (read.error == asio::error::try_again) return watch_control(Taken::all);
  // It has said all it had to say, and gets what it asked for.
  if (read.error == asio::error::eof && said_quit()) return;
  if (read.error) {
    control_gone_ = true;
    return data_.interrupt();
  }
  take_input({input_.data(), read.count});
  answer_meanwhile();
  if (pending_.size() <= k_most_pending) return watch_control(Taken::perhaps);
  over_ = true;
  aborted_ = true;
  data_.interrupt();
}

// ABOR holds wherever it stands; what only asks is answered when nothing waits before it.
void FtpSession::answer_meanwhile() {
  const auto only_asks = [](const Command& command) {
    return command.verb == Verb::noop || (command.verb == Verb::stat && command.argument.empty());
  };
  while (!pending_.empty() && only_asks(pending_.front())) {
    const bool asks_noop = pending_.front().verb == Verb::noop;
    say_at_once(asks_noop ? 200 : 213, asks_noop ? "Still here" : "A transfer is under way");
    pending_.pop_front();
  }
  for (const Command& each : pending_) aborted_ = aborted_ || each.verb == Verb::abor;
  if (aborted_) data_.interrupt();
}

// Also when it has not been noticed yet, or stands behind bytes that nobody has read.
bool FtpSession::control_is_gone() {
  pollfd state = {connection_.socket().native_handle(), POLLRDHUP, 0};
  const bool ended = ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  control_gone_ = control_gone_ || ended;
  return control_gone_;
}

// Listings --------------------------------------------------------------------

Task<void> FtpSession::list(const Action& action) {
  begin_record(name_of(command_.verb), action);
  Lister lister(context_.repository, context_.memory, may(), style(action.format));
  const auto found = co_await lister.begin(action);
  if (!found) {
    const int code =
        found.error().code() == Errc::invalid_argument ? 501 : code_of(found.error().code(), Doing::reading);
    say(code, found.error().message());
    co_return end_record(code, "");
  }
  std::string preliminary = "Listing " + action.path;
  const bool open = co_await open_data(std::move(preliminary));
  if (!open) co_return;
  Connection& data = data_.connection();
  const FtpConfig& limits = context_.config->ftp;
  const Pace pace(limits.data_timeout, limits.min_rate.bytes, steady_clock::now());
  for (bool more = true; more;) {
    std::string page;
    const auto read = co_await lister.next(page);
    if (!read) {
      say_error(read.error(), Doing::reading);
      co_return end_record(451, "");
    }
    more = *read;
    data.set_deadline(pace.deadline(moved_, steady_clock::now()));
    const ErrorCode error = co_await data.write(page);
    data.set_deadline(SteadyTime::max());
    if (error) {
      say(426, interruption());
      co_return end_record(426, "");
    }
    moved_ += page.size();
  }
  data.set_deadline(pace.deadline(moved_, steady_clock::now()));
  co_await data.finish_sending();
  data.set_deadline(SteadyTime::max());
  say(226, "That is all");
  end_record(226, "listed");
}

// Downloads -------------------------------------------------------------------

Task<void> FtpSession::retrieve(const Action& action) {
  begin_record("RETR", action);
  const auto key = key_of(action.path, Doing::reading);
  if (!key) co_return;
  Repository& repository = context_.repository;
  Entry entry;
  Errc missing = Errc::io;
  if (repository.peek(*key, entry) == Index::Found::miss) missing = Errc::not_found;
  if (missing != Errc::not_found) {
    const auto artifact = co_await repository.open(*key);
    if (artifact) co_return co_await send(action, *key, *artifact);
    missing = artifact.error().code();
    if (missing != Errc::not_found) {
      say_error(artifact.error(), Doing::reading);
      co_return end_record(code_of(missing, Doing::reading), "");
    }
  }
  repository.count_miss(*key);
  say(550, "There is no " + action.path);
  end_record(550, "miss");
}

Task<void> FtpSession::send(const Action& action, const ArtifactKey& key, const OpenArtifact& artifact) {
  Repository& repository = context_.repository;
  const std::uint64_t size = artifact.entry.size;
  if (action.offset > size) {
    say(554,
        action.path + " has " + bytes_text(size) + ", and cannot start at " + std::to_string(action.offset));
    co_return end_record(554, "");
  }
  std::string preliminary = "Sending " + action.path;
  if (control_.ascii()) preliminary += " as it is, without text conversion";
  preliminary += " (" + bytes_text(size) + ")";
  const bool open = co_await open_data(std::move(preliminary));
  // Whoever asked and went away has checked that it is there, as BitBake does.
  repository.count_hit(key, Access::seen);
  if (!open) co_return;

  const FtpConfig& limits = context_.config->ftp;
  const Pace pace(limits.data_timeout, limits.min_rate.bytes, steady_clock::now());
  DiskPool& pool = repository.pool();
  FilePart part{artifact.file->descriptor(), action.offset, size - action.offset, nullptr};
  if (action.offset == 0) part.warm_until = &artifact.file->warm_until;
  Connection& data = data_.connection();
  data.cork(true);
  const ErrorCode error = co_await data.send_file(pool, part, pace, moved_);
  repository.count_sent(key, moved_);
  if (!error) {
    data.set_deadline(pace.deadline(moved_, steady_clock::now()));
    co_await data.finish_sending();
    data.set_deadline(SteadyTime::max());
    sent_ = key;
    say(226, "Sent");
    co_return end_record(226, "hit");
  }
  const bool ours = error == boost::system::errc::io_error;
  say(ours ? 451 : 426, ours ? action.path + " cannot be read" : interruption());
  end_record(ours ? 451 : 426, ours ? "" : "check");
}

// Uploads ---------------------------------------------------------------------

void FtpSession::drop_unfinished() {
  context_.repository.release(std::move(unfinished_));
}

// 0: unfinished_ takes the bytes. Otherwise the code of the refusal, which has been said.
Task<int> FtpSession::begin_store(const Action& action, const ArtifactKey& key) {
  const auto refuse = [this](int code, std::string_view text) {
    say(code, text);
    return code;
  };
  const bool goes_on = action.appends || action.offset > 0;
  const bool may_replace = may().may(Right::replace, key.name_space());
  // What somebody else began would be stored in their name.
  if (unfinished_ && unfinished_->uploader() != actor()) drop_unfinished();
  if (goes_on && unfinished_ && unfinished_->key() == key) {
    const std::uint64_t there = unfinished_->received();
    if (action.offset != 0 && action.offset != there)
      co_return refuse(554, "The unfinished upload of " + action.path + " has " + bytes_text(there) +
                                ": go on from there");
    if (action.size) unfinished_->announce(*action.size);
    unfinished_->may_replace_is(may_replace);
    co_return 0;
  }
  if (goes_on)  // the rest of something would pass for all of it
    co_return refuse(action.appends ? 553 : 554,
                     "There is no unfinished upload of " + action.path + " in this session: send it whole");
  drop_unfinished();
  UploadRequest request;
  request.size = action.size;
  request.uploader = actor();
  request.may_replace = may_replace;
  request.verify_archive = !action.size;  // FTP says "the end" and "gone" alike
  auto start = co_await context_.repository.begin_upload(key, std::move(request));
  if (!start) {
    say_error(start.error(), Doing::storing);
    co_return code_of(start.error().code(), Doing::storing);
  }
  unfinished_ = std::move(start->upload);
  co_return 0;
}

Task<void> FtpSession::store(const Action& action) {
  begin_record(name_of(command_.verb), action);
  const auto key = key_of(action.path, Doing::storing);
  if (!key) co_return end_record(553, "");
  const int refusal = co_await begin_store(action, *key);
  if (refusal != 0) co_return end_record(refusal, "");

  std::string preliminary = "Send " + action.path;
  if (control_.ascii()) preliminary += "; it is taken as it is, without text conversion";
  const bool open = co_await open_data(std::move(preliminary));
  if (!open && unfinished_->received() == 0) drop_unfinished();
  if (!open) co_return;
  Result<void> received = co_await receive();
  // Some clients say the end and wait until we do, too, before they look for the reply.
  if (received && data_.connection().is_secure()) co_await data_.connection().finish_sending();
  if (received) {
    const bool whole = co_await is_whole(action);
    if (!whole) received = Error(Errc::cancelled, "the client went away");
  }
  if (!received && received.error().code() == Errc::cancelled) {
    const std::uint64_t kept = unfinished_->received();
    say(426, interruption() + "; the first " + bytes_text(kept) + " are kept for APPE in this session");
    unfinished_->pause();
    unfinished_until_ = steady_clock::now() + context_.config->ftp.idle_timeout;
    if (kept == 0) drop_unfinished();
    co_return end_record(426, "cut");
  }
  if (!received) {
    say_error(received.error(), Doing::storing);
    drop_unfinished();
    co_return end_record(code_of(received.error().code(), Doing::storing), "");
  }
  const auto receipt = co_await context_.repository.commit(*unfinished_);
  drop_unfinished();
  say_stored(*key, receipt);
}

// A client that is killed ends its data connection as one that is done does, and its control
// connection at the same moment, but not in a certain order. An announced length, or an archive
// that is whole, says more; where there is neither, what may still come is waited for.
Task<bool> FtpSession::is_whole(const Action& action) {
  if (aborted_) co_return false;
  if (action.size) co_return true;
  const bool was_said = data_.connection().is_secure();  // TLS tells the end from a cut
  constexpr std::chrono::milliseconds k_grace(100);
  if (!was_said && !control_is_gone() && !is_checkable_archive(action.path)) co_await pause(k_grace);
  co_return !aborted_ && !control_is_gone();
}

// The bytes of the data connection into unfinished_. Errc::cancelled: they are not all there.
Task<Result<void>> FtpSession::receive() {
  const FtpConfig& limits = context_.config->ftp;
  const Pace pace(limits.data_timeout, limits.min_rate.bytes, steady_clock::now());
  Connection& data = data_.connection();
  std::vector<char> buffer(k_piece);
  for (bool ended = false; !ended;) {
    std::size_t filled = 0;
    while (!ended && filled < buffer.size() && (filled == 0 || data.has_unread())) {
      data.set_deadline(pace.deadline(moved_, steady_clock::now()));
      const std::span<char> room = std::span(buffer).subspan(filled);
      const Connection::ReadOutcome outcome = co_await data.read_some(room);
      data.set_deadline(SteadyTime::max());
      ended = outcome.error == asio::error::eof;
      if (outcome.error && !ended) co_return Error(Errc::cancelled, "the data connection broke");
      filled += outcome.count;
      moved_ += outcome.count;
    }
    if (filled == 0) break;
    const auto bytes = std::as_bytes(std::span(buffer).first(filled));
    const auto appended = co_await context_.repository.append(*unfinished_, bytes);
    if (!appended) co_return appended.error();
  }
  const Result<void> success;
  co_return success;
}

void FtpSession::say_stored(const ArtifactKey& key, const Result<Receipt>& receipt) {
  if (!receipt) {
    say_error(receipt.error(), Doing::storing);
    return end_record(code_of(receipt.error().code(), Doing::storing), "");
  }
  switch (receipt->outcome) {
    case Receipt::Outcome::created: say(226, "Stored"); return end_record(226, "created");
    case Receipt::Outcome::present:
      say(226, "These bytes were there already");
      return end_record(226, "present");
    case Receipt::Outcome::replaced: say(226, "Replaced"); return end_record(226, "replaced");
    case Receipt::Outcome::conflict:
      if (receipt->replaceable) {
        say(553, "/" + key.str() + " is there, and newer bytes need the right to replace");
        return end_record(553, "conflict");
      }
      context_.memory.refused(connection_.peer_text(), "/" + key.str(), context_.clock.now());
      say(553, "/" + key.str() + " holds other bytes (SHA-256 " + receipt->entry.digest.hex() +
                   "), and a name never changes its content; remove it first if the new ones are right");
      return end_record(553, "conflict");
  }
}

}  // namespace larder::ftp
