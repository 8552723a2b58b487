// What an FTP session does about each command: the order of things, without
// sockets, clock or disk. A command in, an Action out; the driver carries it out
// and tells what came of it where that matters for what follows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/ftp/address.hpp"
#include "server/ftp/command.hpp"
#include "server/ftp/listing.hpp"

namespace larder::ftp {

// How the next data connection comes about.
enum class DataMode : std::uint8_t { none, passive, active };

// TLS, as RFC 4217 has it.
struct Protection {
  enum class Policy : std::uint8_t { off, optional, required };  // of the control and the data connections
  enum class Channel : std::uint8_t { clear, tls };

  Policy policy = Policy::off;
  Channel control = Channel::clear;  // at the beginning; tls: ftps
};

struct Action {
  enum class Kind : std::uint8_t {
    reply,             // code and text are all there is to do
    goodbye,           // the same, and then the session ends
    log_in,            // PASS: who shows `user` and `secret`? logged_in_as() or refused() tells
    secure,            // AUTH: the same, and then TLS; what came behind the command counts for nothing
    open_passive,      // PASV, EPSV (extended)
    aim,               // PORT, EPRT: connect to `address` for the next transfer
    enter,             // CWD
    tell_size,         // SIZE
    tell_time,         // MDTM
    tell_facts,        // MLST
    tell_status,       // STAT of a path: its listing, on the control connection
    list,              // LIST, NLST, MLSD, in `format`
    retrieve,          // RETR from `offset` on
    store,             // STOR, APPE
    remove,            // DELE
    make_directory,    // MKD
    remove_directory,  // RMD
    rename_from,       // RNFR
    rename,            // RNTO: `path` to `target`
    abort,             // ABOR when nothing is under way
  };

  Kind kind = Kind::reply;
  int code = 0;
  std::string text;
  std::string path;                   // absolute
  std::string named;                  // as the client named it
  std::string target;                 // absolute
  std::uint64_t offset = 0;           // bytes
  std::optional<std::uint64_t> size;  // bytes that ALLO announced
  bool appends = false;               // APPE: goes on where an unfinished upload ended
  bool extended = false;
  ListFormat format = ListFormat::unix_ls;
  DataAddress address;
  std::string user, secret;  // log_in; the secret is for nobody else
  enum class Login : std::uint8_t { stays, ends };
  Login login = Login::stays;  // ends: who was logged in until now is not any more
};

// Whether those who do not say who they are may do anything here at all.
enum class Anonymous : std::uint8_t { welcome, refused };

class Control {
 public:
  explicit Control(Family family, Anonymous anonymous = Anonymous::welcome)
      : Control(family, Protection(), anonymous) {}
  Control(Family family, Protection protection, Anonymous anonymous = Anonymous::welcome)
      : family_(family),
        protection_(protection),
        data_protection_(protection.control),  // who begins with TLS means all of it
        anonymous_(anonymous) {}

  Action on(const Command& command);
  // What came of an action:
  Action logged_in_as(std::string_view user);
  Action logged_in_as_nobody();  // as anonymous; a refusal where that is not welcome
  Action refused();              // wrong credentials; the third ends the session
  void entered(std::string_view directory) { directory_ = directory; }
  void data_is(DataMode mode) { data_ = mode; }
  void renaming(std::string_view path) { rename_from_ = path; }
  void anonymous_is(Anonymous anonymous) { anonymous_ = anonymous; }
  void secured();  // the handshake that AUTH asked for has succeeded

  bool logged_in() const { return logged_in_; }
  const std::string& directory() const { return directory_; }
  const Facts& facts() const { return facts_; }
  bool ascii() const { return ascii_; }
  bool passive_only() const { return passive_only_; }
  bool protects_data() const { return data_protection_ == Channel::tls; }

 private:
  using Channel = Protection::Channel;
  using Policy = Protection::Policy;

  Action protection(const Command& command);
  Action authenticate(std::string_view mechanism);
  Action protect_data(std::string_view level);
  Action before_login(const Command& command);
  Action after_login(const Command& command);
  Action login(const Command& command);
  Action user(const std::string& said);
  Action password(const std::string& secret);
  Action reinitialize();
  Action general(const Command& command);
  Action parameters(const Command& command);
  Action options(std::string_view argument);
  Action restart(std::string_view argument);
  Action allocate(std::string_view argument);
  Action open_passive(bool extended, std::string_view argument);
  Action aim(const Command& command);
  Action transfer(const Command& command);
  Action on_path(Action::Kind kind, const Command& command) const;
  Action rename_to(const Command& command);
  Action list(const Command& command) const;
  std::string status() const;
  std::string features() const;

  Family family_;
  Protection protection_;
  Channel data_protection_ = Channel::clear;
  bool asked_for_private_data_ = false;  // by the word of AUTH, until the handshake
  bool buffer_size_said_ = false;        // PBSZ, which comes before PROT
  Anonymous anonymous_;
  bool logged_in_ = false;
  std::string user_;       // between USER and PASS
  std::string logged_as_;  // empty: anonymous
  unsigned failures_ = 0;
  unsigned before_login_ = 0;  // commands
  std::string directory_ = "/";
  bool ascii_ = true;          // RFC 959: the default; told apart only in what we say
  bool passive_only_ = false;  // EPSV ALL
  DataMode data_ = DataMode::none;
  std::uint64_t restart_ = 0;
  std::optional<std::uint64_t> allocated_;
  std::string rename_from_;
  Facts facts_;
};

}  // namespace larder::ftp
