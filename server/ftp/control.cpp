#include "server/ftp/control.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "server/access/credentials.hpp"
#include "server/access/token.hpp"
#include "server/ftp/path.hpp"
#include "server/ftp/reply.hpp"

namespace larder::ftp {
namespace {

constexpr unsigned k_most_failures = 3;       // logins
constexpr unsigned k_most_before_login = 32;  // commands of somebody who does not log in

Action reply(int code, std::string text) {
  Action action;
  action.code = code;
  action.text = std::move(text);
  return action;
}

Action goodbye(int code, std::string text) {
  Action action = reply(code, std::move(text));
  action.kind = Action::Kind::goodbye;
  return action;
}

std::string upper(std::string_view text) {
  std::string all(text);
  std::transform(all.begin(), all.end(), all.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return all;
}

bool parse_count(std::string_view text, std::uint64_t& count) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  return failure == std::errc() && end == text.data() + text.size();
}

Action unknown(const Command& command) {
  if (command.overlong)
    return reply(500, "A command line has at most " + std::to_string(k_max_line) + " bytes");
  return reply(500, command.name + " is not understood; HELP lists what is");
}

// A web page can make a browser send what it likes to any port, in the body of a request: whoever
// begins like HTTP gets no further (nor does a mail client).
bool is_another_protocol(const Command& command) {
  static constexpr std::array<std::string_view, 10> k_words = {
      "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH", "EHLO"};
  return command.name.ends_with(':') ||
         std::find(k_words.begin(), k_words.end(), command.name) != k_words.end();
}

// "-la /x" → "/x": options are for ls, and this is none.
std::string_view without_options(std::string_view argument) {
  while (argument.starts_with('-')) {
    const auto space = argument.find(' ');
    argument.remove_prefix(space == std::string_view::npos ? argument.size() : space + 1);
  }
  return argument;
}

constexpr std::string_view k_help =
    "These commands are understood:\n"
    "USER PASS ACCT REIN QUIT NOOP SYST FEAT OPTS HELP STAT\n"
    "PWD CWD CDUP TYPE MODE STRU ALLO PASV EPSV PORT EPRT\n"
    "LIST NLST MLSD MLST SIZE MDTM REST RETR STOR APPE ABOR\n"
    "DELE MKD RMD RNFR RNTO AUTH PBSZ PROT\n"
    "Names are those of HTTP: /NAMESPACE/PATH.";

}  // namespace

Action Control::on(const Command& command) {
  // A file to rename is named right before its new name, or not at all.
  if (command.verb != Verb::rnto) {
    if (command.verb != Verb::unknown && command.verb != Verb::noop) rename_from_.clear();
  }
  return logged_in_ ? after_login(command) : before_login(command);
}

Action Control::before_login(const Command& command) {
  if (++before_login_ > k_most_before_login) return goodbye(421, "Too many commands without a login");
  const bool needs_tls = protection_.policy == Policy::required && protection_.control == Channel::clear;
  switch (command.verb) {
    case Verb::user:
    case Verb::pass:
    case Verb::acct:
      if (needs_tls) return reply(530, "Nobody logs in here without TLS: first comes AUTH TLS");
      return login(command);
    case Verb::unknown: return is_another_protocol(command) ? goodbye(421, "This is FTP") : unknown(command);
    case Verb::quit:
    case Verb::rein:
    case Verb::noop:
    case Verb::syst:
    case Verb::feat:
    case Verb::opts:
    case Verb::help:
    case Verb::auth:
    case Verb::pbsz:
    case Verb::prot:
    case Verb::ccc:
    case Verb::clnt:
    case Verb::lang: return general(command);
    default:
      if (needs_tls) return reply(530, "First comes AUTH TLS, then USER");
      return reply(530, anonymous_ == Anonymous::welcome ? "Log in first: USER anonymous" : "Log in first");
  }
}

// Anonymous needs no password: the reply to USER saves every check a round trip. A token that comes all the
// same counts, whatever the user's name.
Action Control::login(const Command& command) {
  if (command.verb == Verb::acct) return reply(202, "No account is needed");
  if (command.verb == Verb::pass) return password(command.argument);
  if (command.argument.empty()) return reply(501, "USER needs a name");
  Action answer = user(command.argument);
  answer.login = Action::Login::ends;
  return answer;
}

Action Control::user(const std::string& said) {
  logged_as_.clear();
  if (is_anonymous_user(said) && anonymous_ == Anonymous::welcome) return logged_in_as_nobody();
  logged_in_ = false;
  user_ = said;
  return reply(331, "Password, please");
}

Action Control::password(const std::string& secret) {
  const bool was_anonymous = logged_in_ && logged_as_.empty();
  Action action;
  if (was_anonymous) {
    if (!token_id(secret)) return reply(230, "Anonymous needs no password");
    logged_in_ = false;  // with a wrong token one is not anonymous instead
    user_ = "anonymous";
    action.login = Action::Login::ends;
  }
  if (user_.empty()) return reply(503, "First comes USER");
  const Credentials shown(std::exchange(user_, {}), secret);
  if (is_anonymous(shown)) return logged_in_as_nobody();
  action.kind = Action::Kind::log_in;
  action.user = shown.user;
  action.secret = shown.secret;
  return action;
}

// Whoever was between us before TLS may have said who logs in, and anything else.
void Control::secured() {
  const unsigned failures = failures_;
  const unsigned before_login = before_login_;
  const bool private_data = asked_for_private_data_;
  Protection now = protection_;
  now.control = Channel::tls;
  *this = Control(family_, now, anonymous_);
  data_protection_ = private_data ? Channel::tls : Channel::clear;
  failures_ = failures;
  before_login_ = before_login;
}

// AUTH, PBSZ, PROT and CCC (RFC 4217, sections 4, 8, 9 and 12.3).
Action Control::protection(const Command& command) {
  const bool tls = protection_.control == Channel::tls;
  if (protection_.policy == Policy::off && !tls) return reply(502, "There is no TLS here");
  const std::string argument = upper(command.argument);
  switch (command.verb) {
    case Verb::auth: return authenticate(argument);
    case Verb::ccc: return reply(533, "Commands stay under TLS");
    default: break;
  }
  if (!tls) return reply(503, "First comes AUTH TLS");
  if (command.verb == Verb::prot) return protect_data(argument);
  std::uint64_t size = 0;
  if (!parse_count(argument, size)) return reply(501, "PBSZ needs a number; under TLS it is 0");
  buffer_size_said_ = true;
  return reply(200, "PBSZ=0");
}

Action Control::authenticate(std::string_view mechanism) {
  const bool control_only = mechanism == "TLS" || mechanism == "TLS-C";
  const bool data_too = mechanism == "SSL" || mechanism == "TLS-P";
  if (mechanism.empty()) return reply(501, "AUTH needs a word: AUTH TLS");
  if (!control_only && !data_too) return reply(504, "AUTH knows TLS");
  if (protection_.control == Channel::tls) return reply(503, "TLS is on already");
  asked_for_private_data_ = data_too;
  Action action = reply(234, "Begin with TLS");
  action.kind = Action::Kind::secure;
  return action;
}

Action Control::protect_data(std::string_view level) {
  if (!buffer_size_said_) return reply(503, "First comes PBSZ 0");
  if (level == "P") {
    data_protection_ = Channel::tls;
    return reply(200, "Data is private from now on");
  }
  if (level == "S" || level == "E") return reply(536, "TLS knows P, and C for none");
  if (level != "C") return reply(504, "PROT is P, or C for none");
  if (protection_.policy == Policy::required) return reply(534, "Data has to be private here: PROT P");
  data_protection_ = Channel::clear;
  return reply(200, "Data is in the clear from now on");
}

Action Control::logged_in_as_nobody() {
  user_.clear();
  logged_as_.clear();
  logged_in_ = anonymous_ == Anonymous::welcome;
  if (!logged_in_) return reply(530, "Anonymous may do nothing here: log in with a token as the password");
  before_login_ = 0;
  return reply(230, "Welcome");
}

Action Control::logged_in_as(std::string_view user) {
  logged_in_ = true;
  logged_as_ = user;
  before_login_ = 0;
  failures_ = 0;
  return reply(230, "Logged in as " + logged_as_);
}

Action Control::refused() {
  const bool last = ++failures_ >= k_most_failures;
  if (last) return goodbye(421, "Too many failed logins");
  return reply(530, "These credentials are wrong, have expired or were revoked");
}

Action Control::reinitialize() {
  if (protection_.control == Channel::tls) return reply(502, "Not under TLS: begin a new session");
  const Family family = family_;
  const Protection protection = protection_;
  const unsigned failures = failures_;
  const unsigned before_login = before_login_;
  *this = Control(family, protection, anonymous_);
  failures_ = failures;
  before_login_ = before_login + 1;
  Action answer = reply(220, "As at the beginning");
  answer.login = Action::Login::ends;
  return answer;
}

Action Control::after_login(const Command& command) {
  using Kind = Action::Kind;
  switch (command.verb) {
    case Verb::unknown: return unknown(command);
    case Verb::user:
    case Verb::pass:
    case Verb::acct: return login(command);
    case Verb::cwd: return on_path(Kind::enter, command);
    case Verb::size: return on_path(Kind::tell_size, command);
    case Verb::mdtm: return on_path(Kind::tell_time, command);
    case Verb::dele: return on_path(Kind::remove, command);
    case Verb::mkd: return on_path(Kind::make_directory, command);
    case Verb::rmd: return on_path(Kind::remove_directory, command);
    case Verb::rnfr: return on_path(Kind::rename_from, command);
    case Verb::rnto: return rename_to(command);
    case Verb::cdup: {
      Command up;
      up.argument = "..";
      return on_path(Kind::enter, up);
    }
    case Verb::mlst: {
      Action action = on_path(Kind::tell_facts, command);
      if (command.argument.empty()) action = Action{Kind::tell_facts, 0, {}, directory_, directory_};
      return action;
    }
    case Verb::retr:
    case Verb::stor:
    case Verb::appe:
    case Verb::list:
    case Verb::nlst:
    case Verb::mlsd: return transfer(command);
    case Verb::abor: {
      Action action = reply(226, "Nothing is under way");
      action.kind = Kind::abort;
      return action;
    }
    case Verb::type:
    case Verb::mode:
    case Verb::stru:
    case Verb::allo:
    case Verb::rest:
    case Verb::pasv:
    case Verb::epsv:
    case Verb::port:
    case Verb::eprt: return parameters(command);
    default: return general(command);
  }
}

// Commands that mean the same before and after the login.
Action Control::general(const Command& command) {
  switch (command.verb) {
    case Verb::quit: return goodbye(221, "Goodbye");
    case Verb::rein: return reinitialize();
    case Verb::noop: return reply(200, "Still here");
    case Verb::syst: return reply(215, "UNIX Type: L8");
    case Verb::opts: return options(command.argument);
    case Verb::help: return reply(214, std::string(k_help));
    case Verb::clnt: return reply(200, "Noted");
    case Verb::feat: return reply(211, features());
    case Verb::pwd: return reply(257, quoted_directory(directory_) + " is the current directory");
    case Verb::stat: {
      if (command.argument.empty()) return reply(211, status());
      Action action = list(command);
      action.kind = Action::Kind::tell_status;
      return action;
    }
    case Verb::stou: return reply(502, "A name belongs to its content: STOR with the name");
    case Verb::auth:
    case Verb::pbsz:
    case Verb::prot:
    case Verb::ccc: return protection(command);
    case Verb::mfmt: return reply(502, "Times are when a name was stored, and stay so");
    default: return reply(502, std::string(name_of(command.verb)) + " is not done here");
  }
}

std::string Control::features() const {
  const bool tls = protection_.policy != Policy::off || protection_.control == Channel::tls;
  std::string text = "Features:\n";
  if (tls) text += "AUTH TLS\n";
  text += "EPRT\nEPSV\nMDTM\nMLST " + feature_line(facts_) + "\n";
  if (tls) text += "PBSZ\nPROT\n";
  return text + "REST STREAM\nSIZE\nTVFS\nUTF8\nEnd";
}

std::string Control::status() const {
  std::string text = "larder:\nLogged in as " + (logged_as_.empty() ? "anonymous" : logged_as_) + ", in " +
                     quoted_directory(directory_) + "\n";
  text += ascii_ ? "TYPE A; artifacts are sent as they are\n" : "TYPE I\n";
  if (protection_.control == Channel::tls)
    text += protects_data() ? "Under TLS, data too\n" : "Under TLS, data in the clear\n";
  if (restart_ > 0) text += "The next transfer starts at " + std::to_string(restart_) + "\n";
  return text + "End";
}

Action Control::options(std::string_view argument) {
  const std::string words = upper(argument);
  if (words == "UTF8" || words == "UTF8 ON" || words == "UTF-8" || words == "UTF-8 ON")
    return reply(200, "Names are UTF-8, always");
  if (words.starts_with("UTF8 ") || words.starts_with("UTF-8 ")) return reply(504, "Names are UTF-8, always");
  if (words == "MLST" || words.starts_with("MLST ")) {
    facts_ = parse_facts(argument.substr(std::min<std::size_t>(argument.size(), 5)));
    return reply(200, "MLST OPTS " + chosen_facts(facts_));
  }
  return reply(501, "OPTS knows UTF8 and MLST");
}

Action Control::parameters(const Command& command) {
  const std::string argument = upper(command.argument);
  const bool needs_one =
      command.verb == Verb::type || command.verb == Verb::mode || command.verb == Verb::stru;
  if (needs_one && argument.empty()) return reply(501, std::string(name_of(command.verb)) + " needs a word");
  switch (command.verb) {
    case Verb::type:
      if (argument == "I" || argument == "L 8" || argument == "L8") {
        ascii_ = false;
        return reply(200, "Bytes as they are");
      }
      if (argument != "A" && argument != "A N") return reply(504, "TYPE is I, or A for listings");
      ascii_ = true;
      return reply(200, "Listings are text; artifacts are sent as they are all the same");
    case Verb::mode: return argument == "S" ? reply(200, "Stream it is") : reply(504, "MODE is S");
    case Verb::stru: return argument == "F" ? reply(200, "Files it is") : reply(504, "STRU is F");
    case Verb::allo: return allocate(command.argument);
    case Verb::rest: return restart(command.argument);
    case Verb::pasv: return open_passive(false, command.argument);
    case Verb::epsv: return open_passive(true, argument);
    default: return aim(command);
  }
}

Action Control::restart(std::string_view argument) {
  std::uint64_t offset = 0;
  if (!parse_count(argument, offset)) return reply(501, "REST needs a number of bytes");
  restart_ = offset;
  return reply(350, "The next transfer starts at " + std::to_string(offset));
}

// "ALLO 123" or "ALLO 123 R 7": what the next STOR will bring.
Action Control::allocate(std::string_view argument) {
  std::uint64_t size = 0;
  if (!parse_count(argument.substr(0, argument.find(' ')), size))
    return reply(501, "ALLO needs a number of bytes");
  allocated_ = size;
  return reply(200, "Noted; the upload has to have this length");
}

Action Control::open_passive(bool extended, std::string_view argument) {
  if (extended && argument == "ALL") {
    passive_only_ = true;
    return reply(200, "EPSV only from now on");
  }
  if (!extended && passive_only_) return reply(503, "After EPSV ALL, EPSV it has to be");
  if (!extended && family_ == Family::v6) return reply(425, "PASV knows IPv4 only: use EPSV");
  if (extended && !argument.empty()) {
    const std::string_view ours = family_ == Family::v4 ? "1" : "2";
    if (argument != ours)
      return reply(522, "Network protocol not supported, use (" + std::string(ours) + ")");
  }
  Action action;
  action.kind = Action::Kind::open_passive;
  action.extended = extended;
  return action;
}

// Only to the peer itself and to no port of a system service (RFC 2577): the driver,
// who knows the peer, looks at the address.
Action Control::aim(const Command& command) {
  if (passive_only_) return reply(503, "After EPSV ALL, EPSV it has to be");
  const auto address = command.verb == Verb::port ? parse_port_argument(command.argument)
                                                  : parse_eprt_argument(command.argument);
  if (!address)
    return reply(address.error().code() == Errc::not_supported ? 522 : 501, address.error().message());
  if (address->family != family_)
    return reply(
        522, std::string("Network protocol not supported, use (") + (family_ == Family::v4 ? "1)" : "2)"));
  if (address->port < 1024) return reply(504, "No data connections to ports below 1024");
  Action action;
  action.kind = Action::Kind::aim;
  action.address = *address;
  return action;
}

Action Control::on_path(Action::Kind kind, const Command& command) const {
  if (command.argument.empty()) return reply(501, std::string(name_of(command.verb)) + " needs a name");
  Action action;
  action.kind = kind;
  action.named = command.argument;
  action.path = resolve(directory_, command.argument);
  return action;
}

Action Control::rename_to(const Command& command) {
  if (rename_from_.empty()) return reply(503, "First comes RNFR");
  Action action = on_path(Action::Kind::rename, command);
  if (action.kind != Action::Kind::rename) return action;
  action.target = std::move(action.path);
  action.path = std::exchange(rename_from_, {});
  return action;
}

Action Control::list(const Command& command) const {
  Action action;
  action.kind = Action::Kind::list;
  // MLSD knows no options, and a name may well start with a dash there.
  action.named =
      command.verb == Verb::mlsd ? std::string_view(command.argument) : without_options(command.argument);
  action.path = resolve(directory_, action.named);
  if (command.verb == Verb::nlst) action.format = ListFormat::names;
  if (command.verb == Verb::mlsd) action.format = ListFormat::machines;
  return action;
}

// What REST and ALLO said holds for one transfer, whatever becomes of it.
Action Control::transfer(const Command& command) {
  const std::uint64_t offset = std::exchange(restart_, 0);
  const std::optional<std::uint64_t> size = std::exchange(allocated_, std::nullopt);
  const bool listing = command.verb == Verb::list || command.verb == Verb::nlst || command.verb == Verb::mlsd;
  Action action =
      listing ? list(command)
              : on_path(command.verb == Verb::retr ? Action::Kind::retrieve : Action::Kind::store, command);
  if (action.kind == Action::Kind::reply) return action;
  if (protection_.policy == Policy::required && !protects_data())
    return reply(521, "Data has to be private here: PBSZ 0, PROT P");
  if (data_ == DataMode::none) return reply(425, "First comes EPSV, PASV, EPRT or PORT");
  if (!listing) action.offset = offset;
  if (action.kind == Action::Kind::store) {
    action.size = size;
    action.appends = command.verb == Verb::appe;
  }
  return action;
}

}  // namespace larder::ftp
