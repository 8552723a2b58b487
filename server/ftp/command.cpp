#include "server/ftp/command.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace larder::ftp {
namespace {

constexpr std::size_t k_max_name = 8;

// Sorted by name. The X… forms are those of RFC 775.
constexpr std::array<std::pair<std::string_view, Verb>, 53> k_verbs = {{
    {"ABOR", Verb::abor}, {"ACCT", Verb::acct}, {"ALLO", Verb::allo}, {"APPE", Verb::appe},
    {"AUTH", Verb::auth}, {"CCC", Verb::ccc},   {"CDUP", Verb::cdup}, {"CLNT", Verb::clnt},
    {"CWD", Verb::cwd},   {"DELE", Verb::dele}, {"EPRT", Verb::eprt}, {"EPSV", Verb::epsv},
    {"FEAT", Verb::feat}, {"HELP", Verb::help}, {"LANG", Verb::lang}, {"LIST", Verb::list},
    {"MDTM", Verb::mdtm}, {"MFMT", Verb::mfmt}, {"MKD", Verb::mkd},   {"MLSD", Verb::mlsd},
    {"MLST", Verb::mlst}, {"MODE", Verb::mode}, {"NLST", Verb::nlst}, {"NOOP", Verb::noop},
    {"OPTS", Verb::opts}, {"PASS", Verb::pass}, {"PASV", Verb::pasv}, {"PBSZ", Verb::pbsz},
    {"PORT", Verb::port}, {"PROT", Verb::prot}, {"PWD", Verb::pwd},   {"QUIT", Verb::quit},
    {"REIN", Verb::rein}, {"REST", Verb::rest}, {"RETR", Verb::retr}, {"RMD", Verb::rmd},
    {"RNFR", Verb::rnfr}, {"RNTO", Verb::rnto}, {"SITE", Verb::site}, {"SIZE", Verb::size},
    {"SMNT", Verb::smnt}, {"STAT", Verb::stat}, {"STOR", Verb::stor}, {"STOU", Verb::stou},
    {"STRU", Verb::stru}, {"SYST", Verb::syst}, {"TYPE", Verb::type}, {"USER", Verb::user},
    {"XCUP", Verb::cdup}, {"XCWD", Verb::cwd},  {"XMKD", Verb::mkd},  {"XPWD", Verb::pwd},
    {"XRMD", Verb::rmd},
}};
static_assert(std::is_sorted(k_verbs.begin(), k_verbs.end()));

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

// Telnet (RFC 854).
constexpr std::uint8_t k_iac = 255;
constexpr std::uint8_t k_first_telnet_command = 240;
constexpr std::uint8_t k_will = 251;
constexpr std::uint8_t k_dont = 254;

}  // namespace

Command parse_command(std::string_view line) {
  const auto space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  Command command;
  command.name = word.substr(0, k_max_name);
  std::transform(command.name.begin(), command.name.end(), command.name.begin(), &upper);
  if (space != std::string_view::npos) command.argument = line.substr(space + 1);
  if (word.size() > k_max_name) return command;
  const auto found =
      std::lower_bound(k_verbs.begin(), k_verbs.end(), std::string_view(command.name),
                       [](const auto& row, std::string_view name) { return row.first < name; });
  if (found != k_verbs.end() && found->first == command.name) command.verb = found->second;
  return command;
}

std::string_view name_of(Verb verb) {
  const auto found =
      std::find_if(k_verbs.begin(), k_verbs.end(), [&](const auto& row) { return row.second == verb; });
  return found == k_verbs.end() ? std::string_view() : found->first;
}

CommandReader::Step CommandReader::feed(std::string_view bytes) {
  Step step;
  while (step.consumed < bytes.size()) {
    const auto byte = static_cast<std::uint8_t>(bytes[step.consumed++]);
    if (byte != '\n') {
      take(byte);
      continue;
    }
    if (line_.ends_with('\r')) line_.pop_back();
    step.complete = true;
    command_ = overlong_ ? Command() : parse_command(line_);
    command_.overlong = overlong_;
    line_.clear();
    overlong_ = escaped_ = negotiating_ = false;
    thrown_away_ = 0;
    return step;
  }
  return step;
}

void CommandReader::take(std::uint8_t byte) {
  if (std::exchange(negotiating_, false)) return;
  if (std::exchange(escaped_, false)) {
    negotiating_ = byte >= k_will && byte <= k_dont;
    // Where the kernel took the urgent byte (DM) out of the stream, what follows IAC is no
    // telnet command but the line.
    if (byte >= k_first_telnet_command && byte != k_iac) return;
  } else if (byte == k_iac) {
    escaped_ = true;
    return;
  }
  if (line_.size() + 1 >= k_max_line) {
    overlong_ = true;
    line_.clear();
  }
  if (overlong_)
    ++thrown_away_;
  else
    line_.push_back(static_cast<char>(byte));
}

}  // namespace larder::ftp
