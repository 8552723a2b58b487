#include "server/access_line.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "common/utf8.hpp"

namespace larder {
namespace {

void append_escape(std::string& out, unsigned char byte) {
  char escape[8];
  std::snprintf(escape, sizeof escape, "\\u%04x", byte);
  out += escape;
}

// A JSON string that is one line of UTF-8 whatever `text` is. What is no UTF-8
// is shown as if it were Latin-1, byte by byte.
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t length = utf8_sequence(text);
    const bool control = byte < 0x20 || byte == 0x7F;
    // C1 controls (U+0080…U+009F) move terminals and break lines as the old ones do.
    const bool late_control = length == 2 && byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (byte == '"' || byte == '\\') out += '\\';
    if (length == 0 || control)
      append_escape(out, byte);
    else if (late_control)
      append_escape(out, static_cast<unsigned char>(text[1]));
    else
      out.append(text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

void append_number(std::string& out, std::string_view name, std::uint64_t value) {
  out.append(",\"").append(name).append("\":").append(std::to_string(value));
}

void append_text(std::string& out, std::string_view name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  append_quoted(out, value);
}

std::string timestamp(std::int64_t unix_milliseconds) {
  const std::time_t seconds = unix_milliseconds / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(unix_milliseconds % 1000));
  return text;
}

}  // namespace

std::string without_userinfo(std::string_view target) {
  const auto mark = target.find("://");
  if (target.starts_with('/') || mark == std::string_view::npos) return std::string(target);
  const std::string_view rest = target.substr(mark + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos) return std::string(target);
  return std::string(target.substr(0, mark + 3)).append(rest.substr(at + 1));
}

std::string format_access(const AccessRecord& record, LogFormat format, std::int64_t unix_milliseconds) {
  const std::string time = timestamp(unix_milliseconds);
  std::string out;
  if (format == LogFormat::json) {
    out = "{\"time\":\"" + time + "\",\"log\":\"access\"";
    append_text(out, "client", record.client);
    if (!record.user.empty()) append_text(out, "user", record.user);
    append_text(out, "protocol", record.protocol);
    append_text(out, "method", record.method);
    if (!record.name_space.empty()) append_text(out, "namespace", record.name_space);
    append_text(out, "name", record.name);
    append_number(out, "status", static_cast<std::uint64_t>(record.status));
    if (!record.outcome.empty()) append_text(out, "outcome", record.outcome);
    append_number(out, "bytes_in", record.bytes_in);
    append_number(out, "bytes_out", record.bytes_out);
    append_number(out, "microseconds", static_cast<std::uint64_t>(record.duration.count()));
    out += '}';
    return out;
  }
  out = time;
  out.append(" ").append(record.client).append(" ").append(record.protocol).append(" ").append(record.method);
  out += ' ';
  append_quoted(out, record.name);
  out.append(" ").append(std::to_string(record.status)).append(" ");
  out.append(record.outcome.empty() ? "-" : record.outcome);
  out.append(" in=")
      .append(std::to_string(record.bytes_in))
      .append(" out=")
      .append(std::to_string(record.bytes_out));
  out.append(" us=").append(std::to_string(record.duration.count()));
  if (record.user.empty()) return out;
  out += " user=";
  append_quoted(out, record.user);
  return out;
}

}  // namespace larder
