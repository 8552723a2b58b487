#include "server/access_line.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "common/plain_bytes.hpp"
#include "common/utf8.hpp"

namespace larder {
namespace {

void append_escape(std::string& out, unsigned char byte) {
  constexpr char k_digits[] = "0123456789abcdef";
  out += "\\u00";
  out += k_digits[byte >> 4];
  out += k_digits[byte & 15];
}

// Bytes that mean themselves, from the front: printable ASCII but quotes and backslashes.
std::size_t plain_length(std::string_view text) {
  std::size_t length = 0;
  while (text.size() - length >= sizeof(ByteWord)) {
    const ByteWord word = load_bytes(text.data() + length);
    if (!all_plain(word, ' ') || (marks_of(word, '"') | marks_of(word, '\\')) != 0) break;
    length += sizeof word;
  }
  while (length < text.size()) {
    const auto byte = static_cast<unsigned char>(text[length]);
    if (byte < 0x20 || byte >= 0x7F || byte == '"' || byte == '\\') break;
    ++length;
  }
  return length;
}

// A JSON string that is one line of UTF-8 whatever `text` is. What is no UTF-8
// is shown as if it were Latin-1, byte by byte.
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (true) {
    const std::size_t plain = plain_length(text);
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
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

template <typename Number>
void append_number(std::string& out, Number value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_number(std::string& out, std::string_view name, std::uint64_t value) {
  out.append(",\"").append(name).append("\":");
  append_number(out, value);
}

void append_text(std::string& out, std::string_view name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  append_quoted(out, value);
}

// "2026-01-31T12:34:56.789Z". The second is the same for thousands of lines.
void append_timestamp(std::string& out, std::int64_t unix_milliseconds) {
  thread_local std::time_t known = -1;
  thread_local char text[40];
  thread_local std::size_t length = 0;
  const std::time_t seconds = unix_milliseconds / 1000;
  if (seconds != known) {
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    known = seconds;
  }
  const auto milliseconds = static_cast<int>(unix_milliseconds % 1000);
  out.append(text, length);
  out += '.';
  for (const int digit : {milliseconds / 100, milliseconds / 10 % 10, milliseconds % 10})
    out += static_cast<char>('0' + digit);
  out += 'Z';
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

void append_access(std::string& out, const AccessRecord& record, LogFormat format,
                   std::int64_t unix_milliseconds) {
  if (format == LogFormat::json) {
    out += "{\"time\":\"";
    append_timestamp(out, unix_milliseconds);
    out += "\",\"log\":\"access\"";
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
    return;
  }
  append_timestamp(out, unix_milliseconds);
  out.append(" ").append(record.client).append(" ").append(record.protocol).append(" ").append(record.method);
  out += ' ';
  append_quoted(out, record.name);
  out += ' ';
  append_number(out, record.status);
  out.append(" ").append(record.outcome.empty() ? "-" : record.outcome).append(" in=");
  append_number(out, record.bytes_in);
  out += " out=";
  append_number(out, record.bytes_out);
  out += " us=";
  append_number(out, record.duration.count());
  if (record.user.empty()) return;
  out += " user=";
  append_quoted(out, record.user);
}

}  // namespace larder
