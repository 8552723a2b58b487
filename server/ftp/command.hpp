// FTP commands: bytes of a control connection into verbs and arguments
// (RFC 959 section 4.1; 2428, 2640, 3659). No sockets, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace larder::ftp {

enum class Verb : std::uint8_t {
  unknown,
  abor,
  acct,
  allo,
  appe,
  cdup,
  cwd,
  dele,
  eprt,
  epsv,
  feat,
  help,
  list,
  mdtm,
  mkd,
  mlsd,
  mlst,
  mode,
  nlst,
  noop,
  opts,
  pass,
  pasv,
  port,
  pwd,
  quit,
  rein,
  rest,
  retr,
  rmd,
  rnfr,
  rnto,
  size,
  stat,
  stor,
  stou,
  stru,
  syst,
  type,
  user,
  // Known, and never done:
  auth,
  ccc,
  clnt,
  lang,
  mfmt,
  pbsz,
  prot,
  site,
  smnt,
};

struct Command {
  Verb verb = Verb::unknown;
  std::string name;       // "RETR": upper case, at most 8 bytes of what was sent
  std::string argument;   // behind one space; any bytes but line ends
  bool overlong = false;  // the line was longer than k_max_line and thrown away
};

Command parse_command(std::string_view line);  // without its end
std::string_view name_of(Verb verb);           // "RETR"; "" for unknown

inline constexpr std::size_t k_max_line = 4096;  // bytes, the end included

// Cuts lines out of a stream that may be cut anywhere. CRLF and LF end a line.
// Telnet's commands, which some clients send before ABOR, are passed over.
class CommandReader {
 public:
  struct Step {
    std::size_t consumed = 0;
    bool complete = false;  // command() has one; otherwise all bytes were taken
  };
  Step feed(std::string_view bytes);
  const Command& command() const { return command_; }
  bool in_line() const { return !line_.empty() || overlong_; }        // a line has begun
  bool endless() const { return thrown_away_ > k_most_thrown_away; }  // no client means such a line

 private:
  void take(std::uint8_t byte);

  std::string line_;
  static constexpr std::size_t k_most_thrown_away = 1 << 20;  // bytes of one line

  bool overlong_ = false;
  std::size_t thrown_away_ = 0;
  bool escaped_ = false;      // behind IAC
  bool negotiating_ = false;  // behind IAC WILL, WONT, DO or DONT
  Command command_;
};

}  // namespace larder::ftp
