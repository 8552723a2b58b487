#include "server/ftp/session.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <random>

namespace larder::ftp {
namespace {

constexpr std::size_t k_most_status = 64 << 10;      // bytes of a listing on the control connection
constexpr std::size_t k_flush_threshold = 64 << 10;  // bytes of replies that wait

Family family_of(const Connection& connection) {
  return connection.peer().is_v6() ? Family::v6 : Family::v4;
}

Protection protection_of(const FtpConfig& config, Door door) {
  Protection protection;
  if (door == Door::secure) protection.control = Protection::Channel::tls;
  switch (config.tls) {
    case FtpTls::off: break;
    case FtpTls::optional: protection.policy = Protection::Policy::optional; break;
    case FtpTls::required: protection.policy = Protection::Policy::required; break;
  }
  return protection;
}

// Nobody can foresee it, and no two sessions share it.
std::string random_scope() {
  constexpr std::size_t k_bytes = 16;
  std::string scope(k_bytes, '\0');
  static thread_local std::random_device device;
  for (char& each : scope) each = static_cast<char>(device());
  return scope;
}

Anonymous anonymous_of(const Context& context, const Connection& connection) {
  const Origin origin = connection.peer().is_loopback() ? Origin::loopback : Origin::elsewhere;
  const Permissions& may = context.access.without_credentials(connection.tls_user(), origin)->may;
  const bool anything =
      std::any_of(k_rights.begin(), k_rights.end(), [&](Right each) { return may.may_somewhere(each); });
  return anything ? Anonymous::welcome : Anonymous::refused;
}

}  // namespace

FtpSession::FtpSession(Context& context, SessionSet& sessions, Door door, std::string passive_address,
                       std::unique_ptr<Connection> connection)
    : context_(context),
      sessions_(sessions),
      door_(door),
      owned_(std::move(connection)),
      connection_(*owned_),
      data_(connection_.socket().get_executor()),
      control_(family_of(connection_), protection_of(context.config->ftp, door),
               anonymous_of(context, connection_)),
      passive_address_(std::move(passive_address)) {
  meet();
}

void FtpSession::meet() {
  const std::uint64_t version = context_.access.version();
  visitor_.is(context_.access.without_credentials(connection_.tls_user(), origin()), "", version);
}

FtpSession::~FtpSession() {
  stop_watching();
  drop_unfinished();
}

Task<void> FtpSession::serve(Context& context, SessionSet& sessions, Door door, std::string passive_address,
                             std::unique_ptr<Connection> connection, Admission::Ticket ticket) {
  (void)ticket;  // held for as long as the session lives
  if (connection->join_loop()) co_return;
  FtpSession session(context, sessions, door, std::move(passive_address), std::move(connection));
  const SessionSet::Guard registered(sessions, session);
  co_await session.run();
}

void FtpSession::expire() {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (data_.deadline() <= now) return data_.expire();
  if (idle_) say_at_once(421, "Nothing was asked for too long");
  connection_.expire();
}

void FtpSession::close() {
  if (idle_) say_at_once(421, "This server is shutting down");
  data_.interrupt();
  connection_.close();
}

Task<bool> FtpSession::secure_control() {
  tls_ = context_.tls();
  if (!tls_) co_return false;  // the certificates went away with a reload
  tls_scope_ = random_scope();
  connection_.set_deadline(std::chrono::steady_clock::now() + context_.config->tls.handshake_timeout);
  std::shared_ptr<const TlsContext> tls = tls_;
  std::string scope = tls_scope_;
  const Connection::Secured outcome =
      co_await connection_.secure(std::move(tls), std::move(scope), Connection::Tickets::yes);
  connection_.set_deadline(SteadyTime::max());
  if (outcome == Connection::Secured::plain_text && door_ == Door::secure)
    (void)connection_.try_write("421 This port speaks TLS from the first byte on: ftps://\r\n");
  if (outcome != Connection::Secured::yes) co_return false;
  meet();
  control_.anonymous_is(anonymous_of(context_, connection_));
  co_return true;
}

// What was sent in the clear behind AUTH may be from somebody in between, and is not heard.
Task<void> FtpSession::begin_tls(const Action& action) {
  say(action.code, action.text);
  const bool said = co_await flush();
  pending_.clear();
  reader_ = CommandReader();
  data_.close();
  drop_unfinished();
  bool secured = false;
  if (said) secured = co_await secure_control();
  if (secured)
    control_.secured();
  else
    control_gone_ = over_ = true;
}

Task<void> FtpSession::run() {
  if (door_ == Door::secure) {
    const bool secured = co_await secure_control();
    if (!secured) co_return connection_.close();
  }
  say(220, "larder");
  while (!over_) {
    const bool more = co_await next_command();
    settle_sent();
    if (!more) break;
    const Action action = control_.on(command_);
    if (action.login == Action::Login::ends) end_login();
    const bool known = co_await still_known();
    if (!known) break;
    co_await perform(action);
    if (output_.size() > k_flush_threshold) co_await flush();
    if (sessions_.draining() || !context_.ready()) {
      say(421, "This server is shutting down");
      over_ = true;
    }
  }
  co_await flush();
  data_.close();
  if (connection_.is_secure() && !control_gone_) {
    connection_.set_deadline(std::chrono::steady_clock::now() + context_.config->ftp.data_timeout);
    co_await connection_.finish_sending();
  }
  connection_.close();
}

Task<bool> FtpSession::next_command() {
  SteadyTime deadline = SteadyTime::max();  // one for the whole line, however it trickles
  while (pending_.empty()) {
    if (control_gone_) co_return false;
    const bool flushed = co_await flush();
    if (!flushed) co_return false;
    idle_ = true;
    if (deadline == SteadyTime::max()) deadline = std::chrono::steady_clock::now() + patience();
    connection_.set_deadline(deadline);
    if (!context_.ready()) {
      say(421, "This server is shutting down");
      co_return false;
    }
    const std::span<char> room(input_);
    const Connection::ReadOutcome outcome = co_await connection_.read_some(room);
    connection_.set_deadline(SteadyTime::max());
    idle_ = false;
    if (outcome.error) co_return false;
    const std::string_view bytes(input_.data(), outcome.count);
    take_input(bytes);
    if (pending_.empty() && reader_.endless()) {
      say(421, "A command line has at most " + std::to_string(k_max_line) + " bytes");
      co_return false;
    }
    if (unfinished_ && std::chrono::steady_clock::now() > unfinished_until_) drop_unfinished();
  }
  command_ = std::move(pending_.front());
  pending_.pop_front();
  co_return true;
}

void FtpSession::take_input(std::string_view bytes) {
  while (!bytes.empty()) {
    const CommandReader::Step step = reader_.feed(bytes);
    bytes.remove_prefix(step.consumed);
    if (step.complete) pending_.push_back(reader_.command());
  }
}

// How long for the next command; who has not logged in gets less.
std::chrono::milliseconds FtpSession::patience() const {
  constexpr std::chrono::milliseconds k_before_login = std::chrono::seconds(60);
  const std::chrono::milliseconds usual = context_.config->ftp.idle_timeout;
  return control_.logged_in() ? usual : std::min(usual, k_before_login);
}

Task<bool> FtpSession::flush() {
  while (!output_.empty() && !control_gone_) {
    writing_.swap(output_);
    connection_.set_deadline(std::chrono::steady_clock::now() + context_.config->ftp.idle_timeout);
    const ErrorCode error = co_await connection_.write(writing_);
    connection_.set_deadline(SteadyTime::max());
    writing_.clear();
    if (writing_.capacity() > 4 * k_flush_threshold) std::string().swap(writing_);  // not kept while idle
    if (error) control_gone_ = true;
  }
  co_return !control_gone_;
}

void FtpSession::say_error(const Error& error, Doing doing) {
  say(code_of(error.code(), doing), error.message());
}

void FtpSession::say_at_once(int code, std::string_view text) {
  const bool others_wait = !output_.empty() || !writing_.empty();
  std::string line;
  append_reply(line, code, text);
  std::size_t sent = 0;
  if (!others_wait) sent = connection_.try_write(line);
  output_ += line.substr(sent);
}

Task<void> FtpSession::perform(const Action& action) {
  using Kind = Action::Kind;
  switch (action.kind) {
    case Kind::reply:
    case Kind::abort: say(action.code, action.text); break;
    case Kind::goodbye:
      say(action.code, action.text);
      over_ = true;
      break;
    case Kind::log_in: co_await log_in(action); break;
    case Kind::secure: co_await begin_tls(action); break;
    case Kind::open_passive: open_passive(action); break;
    case Kind::aim: aim(action); break;
    case Kind::enter: co_await enter(action); break;
    case Kind::tell_size:
    case Kind::tell_time:
    case Kind::tell_facts: co_await describe(action); break;
    case Kind::tell_status: co_await tell_status(action); break;
    case Kind::list:
      co_await list(action);
      end_data();
      break;
    case Kind::retrieve:
      co_await retrieve(action);
      end_data();
      break;
    case Kind::store:
      co_await store(action);
      end_data();
      break;
    case Kind::remove: co_await remove(action); break;
    case Kind::make_directory: co_await make_directory(action); break;
    case Kind::remove_directory: co_await remove_directory(action); break;
    case Kind::rename_from: co_await rename_from(action); break;
    case Kind::rename: co_await rename(action); break;
  }
}

Task<void> FtpSession::pause(std::chrono::milliseconds time) {
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             LoopExecutor>
      timer(connection_.socket().get_executor(), time);
  const auto [error] = co_await timer.async_wait(k_as_outcome);
  (void)error;
}

bool FtpSession::has_made(const std::string& path) const {
  return context_.memory.has_made(path, context_.clock.now());
}

Task<void> FtpSession::remember_parent(std::string path) {
  const std::string parent(parent_of(path));
  if (place_of(parent).kind != Place::Kind::below) co_return;
  const bool there = co_await is_directory(parent);
  if (!there) context_.memory.made(parent, context_.clock.now());
}

std::optional<ArtifactKey> FtpSession::key_of(const std::string& path, Doing doing) {
  const Place place = place_of(path);
  const Right right = doing == Doing::reading   ? Right::read
                      : doing == Doing::storing ? Right::write
                                                : Right::remove;
  if (refuse(right, path)) return std::nullopt;
  auto key = place.key();
  if (key && context_.repository.find_namespace(place.name_space) != nullptr) return std::move(*key);
  if (place.kind == Place::Kind::below && doing == Doing::storing && !key)
    say_error(key.error(), doing);
  else if (place.kind == Place::Kind::nowhere || place.kind == Place::Kind::below ||
           (place.kind == Place::Kind::name_space &&
            context_.repository.find_namespace(place.name_space) == nullptr))
    say(doing == Doing::storing ? 553 : 550, "There is no " + path);
  else
    say(doing == Doing::storing ? 553 : 550, path + " is a directory");
  return std::nullopt;
}

Task<Result<Entry>> FtpSession::look_up(const ArtifactKey& key) {
  Entry entry;
  const Index::Found found = context_.repository.peek(key, entry);
  if (found == Index::Found::hit) co_return entry;
  if (found == Index::Found::miss) co_return Error(Errc::not_found, "There is no /" + key.str());
  auto waited = co_await context_.repository.stat(key);
  co_return waited;
}

Task<bool> FtpSession::is_directory(const std::string& path) {
  const Place place = place_of(path);
  if (place.kind == Place::Kind::root) co_return true;
  if (place.kind == Place::Kind::nowhere) co_return false;
  if (place.kind == Place::Kind::snapshot) {
    const std::string name = place.name_space.substr(1);
    const std::vector<std::string> spaces = context_.repository.spaces_of_snapshot(name);
    co_return context_.repository.has_snapshot(name) && may_see_snapshot(may(), spaces);
  }
  if (!sees(place) || context_.repository.find_namespace(place.name_space) == nullptr) co_return false;
  if (place.kind == Place::Kind::name_space) co_return true;
  const Index::Found found = context_.repository.peek_directory(place.name_space, place.path);
  if (found == Index::Found::hit || has_made(path)) co_return true;
  if (found == Index::Found::miss) co_return false;
  const auto waited = co_await context_.repository.is_directory(place.name_space, place.path);
  co_return waited&&* waited;
}

ListStyle FtpSession::style(ListFormat format) const {
  ListStyle style;
  style.format = format;
  style.facts = control_.facts();
  style.may_write = may().may_somewhere(Right::write);
  style.now = context_.clock.now();
  return style;
}

Task<void> FtpSession::enter(const Action& action) {
  const bool there = co_await is_directory(action.path);
  if (!there) co_return say(550, "There is no directory " + action.path);
  control_.entered(action.path);
  say(250, "Now in " + action.path);
}

// SIZE, MDTM and MLST.
Task<void> FtpSession::describe(const Action& action) {
  api::ListingEntry shown;
  const Place place = place_of(action.path);
  if (place.kind == Place::Kind::below) {
    begin_record(name_of(command_.verb), action);
    const auto key = key_of(action.path, Doing::reading);
    if (!key) co_return;
    const auto entry = co_await look_up(*key);
    if (entry) {
      context_.repository.count_hit(*key, Access::seen);
      shown.size = entry->size;
      shown.stored = entry->stored;
      if (action.kind == Action::Kind::tell_size) say(213, std::to_string(entry->size));
      if (action.kind == Action::Kind::tell_time) say(213, timestamp(entry->stored));
      if (action.kind == Action::Kind::tell_facts)
        say(250, "Facts:\n" + fact_line(shown, style(ListFormat::machines), action.path) + "\nEnd");
      end_record(action.kind == Action::Kind::tell_facts ? 250 : 213, "hit");
      co_return;
    }
    if (entry.error().code() != Errc::not_found) co_return say_error(entry.error(), Doing::reading);
  }
  const bool directory = co_await is_directory(action.path);
  shown.directory = true;
  if (directory && action.kind == Action::Kind::tell_facts)
    co_return say(250, "Facts:\n" + fact_line(shown, style(ListFormat::machines), action.path) + "\nEnd");
  say(550, directory ? action.path + " is a directory" : "There is no " + action.path);
  if (place.kind != Place::Kind::below || directory) co_return;
  const auto key = place.key();
  if (key) context_.repository.count_miss(*key);
  end_record(550, "miss");
}

Task<void> FtpSession::tell_status(const Action& action) {
  Lister lister(context_.repository, context_.memory, may(), style(ListFormat::unix_ls));
  const auto found = co_await lister.begin(action);
  if (!found) co_return say_error(found.error(), Doing::reading);
  std::string text = action.path + ":\n";
  for (bool more = true; more && text.size() < k_most_status;) {
    const auto read = co_await lister.next(text);
    if (!read) co_return say_error(read.error(), Doing::reading);
    more = *read;
  }
  std::erase(text, '\r');
  const bool whole = text.size() < k_most_status;
  if (!whole) text.resize(text.rfind('\n', k_most_status) + 1);
  say(213, text + (whole ? "End" : "There is more: LIST shows all"));
}

Task<void> FtpSession::remove(const Action& action) {
  begin_record("DELE", action);
  const auto key = key_of(action.path, Doing::removing);
  if (!key) co_return;
  if (context_.memory.was_refused(connection_.peer_text(), action.path, context_.clock.now())) {
    say(550, action.path +
                 " holds what others stored, and your upload was refused just now; remove it in a minute");
    co_return end_record(550, "");
  }
  std::string who = actor();
  std::string why = "DELE";
  const auto entry = co_await context_.repository.remove(*key, std::move(who), std::move(why));
  if (!entry) {
    say_error(entry.error(), Doing::removing);
    co_return end_record(code_of(entry.error().code(), Doing::removing), "absent");
  }
  co_await remember_parent(action.path);
  say(250, "Removed");
  end_record(250, "removed");
}

// Directories are there as soon as something lies below them; until then it is remembered that
// somebody made one.
Task<void> FtpSession::make_directory(const Action& action) {
  const auto key = key_of(action.path, Doing::storing);
  if (!key) co_return;
  const auto file = co_await look_up(*key);
  if (file) co_return say(553, action.path + " is a file");
  const bool there = co_await is_directory(action.path);
  if (there) co_return say(550, action.path + " exists");
  context_.memory.made(action.path, context_.clock.now());
  say(257, quoted_directory(action.path) + " is there as soon as something lies in it");
}

Task<void> FtpSession::remove_directory(const Action& action) {
  if (refuse(Right::write, action.path)) co_return;
  const bool there = co_await is_directory(action.path);
  if (!there) co_return say(550, "There is no directory " + action.path);
  context_.memory.unmade(action.path);
  const bool still = co_await is_directory(action.path);
  if (still) co_return say(550, action.path + " is not empty");
  co_await remember_parent(action.path);
  say(250, "Removed");
}

// Out of its namespace, a file is read by others: for that one has to be able to read it.
Task<void> FtpSession::rename_from(const Action& action) {
  const auto key = key_of(action.path, Doing::removing);
  if (!key) co_return;
  const bool may_stay = may().may(Right::write, key->name_space());
  if (!may_stay && refuse(Right::read, action.path)) co_return;
  const auto entry = co_await look_up(*key);
  if (!entry) co_return say_error(entry.error(), Doing::removing);
  control_.renaming(action.path);
  say(350, "And its new name?");
}

Task<void> FtpSession::rename(const Action& action) {
  begin_record("RNTO", action);
  const auto from = key_of(action.path, Doing::removing);
  if (!from) co_return;
  const auto to = key_of(action.target, Doing::storing);
  if (!to) co_return;
  const bool leaves = from->name_space() != to->name_space();
  if (leaves && refuse(Right::read, action.path)) co_return;
  std::string who = actor();
  const bool may_replace = may().may(Right::replace, to->name_space());
  const Store::Replace replace = may_replace ? Store::Replace::allowed : Store::Replace::refused;
  const auto receipt = co_await context_.repository.rename(*from, *to, std::move(who), replace);
  if (!receipt) {
    say_error(receipt.error(), Doing::storing);
    co_return end_record(code_of(receipt.error().code(), Doing::storing), "");
  }
  if (receipt->outcome == Receipt::Outcome::conflict) {
    say(553, action.target + " holds other bytes, and a name never changes its content");
    co_return end_record(553, "conflict");
  }
  co_await remember_parent(action.path);
  say(250, "Renamed");
  end_record(250, "renamed");
}

void FtpSession::open_passive(const Action& action) {
  const asio::ip::address local = connection_.local();
  const FtpConfig& config = context_.config->ftp;
  const SteadyTime deadline = std::chrono::steady_clock::now() + config.connect_timeout;
  const auto port = data_.listen(local, config.passive_ports, deadline);
  control_.data_is(port ? DataMode::passive : DataMode::none);
  if (!port) return say(425, port.error().message());
  if (action.extended)
    return say(229, "Entering extended passive mode (" + extended_passive_address(*port) + ")");
  const std::string host = passive_address_.empty() ? local.to_string() : passive_address_;
  say(227, "Entering passive mode (" + passive_address(host, *port) + ")");
}

// No errands to third parties: a data connection goes to the peer or nowhere (RFC 2577).
void FtpSession::aim(const Action& action) {
  ErrorCode error;
  const auto address = asio::ip::make_address(action.address.host, error);
  if (error) return say(501, "This is no address");
  if (address != connection_.peer())
    return say(504, "Data goes to the address that asks for it, and to no other");
  const asio::ip::tcp::endpoint target(address, action.address.port);
  data_.aim(connection_.local(), target);
  control_.data_is(DataMode::active);
  say(200, "Ready to connect");
}

void FtpSession::begin_record(std::string_view method, const Action& action) {
  moved_ = 0;
  if (!context_.access_log.on()) return;
  started_ = std::chrono::steady_clock::now();
  method_ = method;
  name_ = action.path;
  const Place place = place_of(action.path);
  name_space_ = place.kind == Place::Kind::below ? place.name_space : std::string();
}

void FtpSession::end_record(int status, std::string_view outcome) {
  if (!context_.access_log.on()) return;
  AccessRecord record;
  record.client = connection_.peer_text();
  record.user = visitor_.identity().name;
  record.protocol = connection_.is_secure() ? "ftps" : "ftp";
  record.method = method_;
  record.name_space = name_space_;
  record.name = name_;
  record.status = status;
  record.outcome = outcome;
  const bool upload = method_ == "STOR" || method_ == "APPE";
  record.bytes_in = upload ? moved_ : 0;
  record.bytes_out = upload ? 0 : moved_;
  const auto duration = std::chrono::steady_clock::now() - started_;
  record.duration = std::chrono::duration_cast<std::chrono::microseconds>(duration);
  context_.access_log.write(record);
}

}  // namespace larder::ftp
