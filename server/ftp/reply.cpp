#include "server/ftp/reply.hpp"

namespace larder::ftp {
namespace {

// A line without anything that could end it or move a terminal. 0xFF would be
// telnet's escape.
void append_line(std::string& out, std::string_view line) {
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F || byte == 0xFF ? '?' : c;
  }
  out += "\r\n";
}

}  // namespace

void append_reply(std::string& out, int code, std::string_view text) {
  const std::string number = std::to_string(code);
  auto end = text.find('\n');
  for (bool first = true; end != std::string_view::npos; first = false) {
    out += first ? number + "-" : std::string(" ");
    append_line(out, text.substr(0, end));
    text.remove_prefix(end + 1);
    end = text.find('\n');
  }
  out += number + " ";
  append_line(out, text);
}

int code_of(Errc error, Doing doing) {
  switch (error) {
    case Errc::not_found: return 550;
    case Errc::exists:
    case Errc::conflict:
    case Errc::precondition: return 553;
    case Errc::invalid_name:
    case Errc::invalid_argument: return doing == Doing::reading ? 550 : 553;
    case Errc::digest_mismatch:
    case Errc::corrupt: return doing == Doing::storing ? 553 : 550;
    case Errc::too_large: return 552;
    case Errc::no_space: return 452;
    case Errc::forbidden: return 550;
    case Errc::not_supported: return 504;
    case Errc::busy: return 450;
    case Errc::cancelled: return 426;
    case Errc::too_many_links:
    case Errc::io: return 451;
  }
  return 451;
}

std::string quoted_directory(std::string_view directory) {
  std::string text = "\"";
  for (const char c : directory) text.append(c == '"' ? 2 : 1, c);
  return text + "\"";
}

}  // namespace larder::ftp
