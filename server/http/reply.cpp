#include "server/http/reply.hpp"

#include <charconv>

#include "server/http/date.hpp"

namespace larder::http {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

// BitBake compares with the exact word, in lower case.
void append_connection(std::string& out, int version, KeepAlive keep_alive) {
  if (keep_alive == KeepAlive::no)
    out += "Connection: close\r\n";
  else if (version == 10)
    out += "Connection: keep-alive\r\n";
  out += "\r\n";
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

void append_head(std::string& out, const Reply& reply, int version, KeepAlive keep_alive,
                 std::string_view date) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(reply.status));
  out.append(" ").append(reason_phrase(reply.status)).append("\r\n");
  append_field(out, "Server", "larder");
  append_field(out, "Date", date);
  if (!reply.content_type.empty()) append_field(out, "Content-Type", reply.content_type);
  if (reply.chunked) append_field(out, "Transfer-Encoding", "chunked");
  if (reply.content_length) {
    out.append("Content-Length: ");
    append_number(out, *reply.content_length);
    out.append("\r\n");
  }
  if (!reply.etag.empty()) out.append("ETag: \"").append(reply.etag).append("\"\r\n");
  if (reply.last_modified) append_field(out, "Last-Modified", format_http_date(*reply.last_modified));
  if (reply.accept_ranges) append_field(out, "Accept-Ranges", "bytes");
  if (!reply.content_range.empty()) append_field(out, "Content-Range", reply.content_range);
  out.append(reply.extra);
  append_connection(out, version, keep_alive);
}

void append_artifact_head(std::string& out, const ArtifactHead& artifact, int version, KeepAlive keep_alive,
                          std::string_view date) {
  out.append("HTTP/1.1 200 OK\r\nServer: larder\r\nDate: ").append(date);
  out += "\r\nContent-Type: application/octet-stream\r\nContent-Length: ";
  append_number(out, artifact.size);
  const Digest::Hex etag = artifact.digest.hex_digits();
  out.append("\r\nETag: \"").append(etag.data(), etag.size()).append("\"\r\nLast-Modified: ");
  append_http_date(out, artifact.stored);
  out += "\r\nAccept-Ranges: bytes\r\n";
  append_connection(out, version, keep_alive);
}

void append_missing(std::string& out, Method method, int version, KeepAlive keep_alive,
                    std::string_view date) {
  out.append("HTTP/1.1 404 Not Found\r\nServer: larder\r\nDate: ").append(date);
  out += "\r\nContent-Type: text/plain\r\nContent-Length: ";
  append_number(out, k_missing.size());
  out += "\r\n";
  append_connection(out, version, keep_alive);
  if (method != Method::head) out += k_missing;
}

int status_of(Errc code) {
  switch (code) {
    case Errc::not_found: return 404;
    case Errc::exists:
    case Errc::conflict: return 409;
    case Errc::precondition: return 412;
    case Errc::invalid_name:
    case Errc::invalid_argument: return 400;
    case Errc::digest_mismatch: return 422;
    case Errc::too_large: return 413;
    case Errc::no_space: return 507;
    case Errc::forbidden: return 403;
    case Errc::not_supported: return 501;
    case Errc::busy:
    case Errc::cancelled: return 503;
    case Errc::too_many_links:
    case Errc::corrupt:
    case Errc::io: return 500;
  }
  return 500;
}

api::Problem problem_of(const Error& error) {
  api::Problem problem;
  problem.status = status_of(error.code());
  problem.code = name_of(error.code());
  problem.detail = error.message();
  return problem;
}

}  // namespace larder::http
