#include "server/http/request_header.hpp"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <charconv>
#include <limits>

#include "common/words.hpp"

namespace larder::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;
using beast::http::verb;

std::string_view plain(beast::string_view text) {
  return {text.data(), text.size()};
}

Method method_of(verb known) {
  switch (known) {
    case verb::get: return Method::get;
    case verb::head: return Method::head;
    case verb::put: return Method::put;
    case verb::delete_: return Method::delete_;
    case verb::post: return Method::post;
    case verb::options: return Method::options;
    case verb::mkcol: return Method::mkcol;
    case verb::propfind: return Method::propfind;
    default: return Method::other;
  }
}

// 1*DIGIT and nothing else: no sign, no list of equal numbers, no overflow.
std::optional<std::uint64_t> decimal(std::string_view text) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  std::uint64_t value = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

// What RFC 3986 allows in an authority, but for user names: no white space,
// slash, comma or bracket trick survives into an answer.
bool is_host(std::string_view text) {
  constexpr std::string_view k_others = "-._~%!$&'()*+;=:[]";
  return std::all_of(text.begin(), text.end(), [&](char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return letter || k_others.find(c) != std::string_view::npos;
  });
}

// Beast finds the parts; this class keeps those the server knows, and refuses
// what Beast would let pass.
class HeaderReader final : public beast::http::basic_parser<true> {
 public:
  explicit HeaderReader(Request& request) : request_(request) {
    header_limit(std::numeric_limits<std::uint32_t>::max());  // HeaderScanner has measured it
    body_limit(boost::none);
  }

  Refusal read(std::string_view block);

 private:
  using Failure = beast::error_code;

  void on_request_impl(verb known, beast::string_view method, beast::string_view target, int version,
                       Failure&) override {
    request_.method = method_of(known);
    request_.method_text.assign(method.data(), method.size());
    request_.target.assign(target.data(), target.size());
    request_.version = version;
  }

  void on_field_impl(field name, beast::string_view text, beast::string_view value,
                     Failure& failure) override {
    on_field(name, plain(text), plain(value));
    if (refusal_) failure = beast::http::error::bad_value;  // any error ends the parse
  }

  void on_header_impl(Failure&) override {}
  void on_response_impl(int, beast::string_view, int, Failure&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Failure&) override {}
  std::size_t on_body_impl(beast::string_view body, Failure&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, Failure&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, Failure&) override {
    return body.size();
  }
  void on_finish_impl(Failure&) override {}

  void on_field(field name, std::string_view text, std::string_view value);
  void on_host(std::string_view value);
  void on_content_length(std::string_view value);
  void on_transfer_encoding(std::string_view value);
  void refuse_coding(std::string_view codings);
  void on_expect(std::string_view value);
  std::string* kept_as(field name, std::string_view text);
  Refusal refusal_of(const Failure& failure, std::string_view block) const;
  Refusal check_whole();

  void refuse(int status, std::string_view reason) { refusal_ = {status, reason}; }

  Request& request_;
  bool has_host_ = false;
  Refusal refusal_;
};

Refusal HeaderReader::read(std::string_view block) {
  Failure failure;
  put({block.data(), block.size()}, failure);
  if (refusal_) return refusal_;
  if (failure) return refusal_of(failure, block);
  return check_whole();
}

void HeaderReader::on_field(field name, std::string_view text, std::string_view value) {
  if (name == field::host) return on_host(value);
  if (name == field::content_length) return on_content_length(value);
  if (name == field::transfer_encoding) return on_transfer_encoding(value);
  if (name == field::expect) return on_expect(value);
  std::string* const kept = kept_as(name, text);
  if (kept == nullptr) return;
  if (!kept->empty()) kept->append(", ");
  kept->append(value);
}

std::string* HeaderReader::kept_as(field name, std::string_view text) {
  switch (name) {
    case field::range: return &request_.range;
    case field::if_range: return &request_.if_range;
    case field::if_match: return &request_.if_match;
    case field::if_none_match: return &request_.if_none_match;
    case field::if_modified_since: return &request_.if_modified_since;
    case field::if_unmodified_since: return &request_.if_unmodified_since;
    case field::accept: return &request_.accept;
    case field::accept_encoding: return &request_.accept_encoding;
    case field::content_encoding: return &request_.content_encoding;
    case field::content_range: return &request_.content_range;
    case field::content_type: return &request_.content_type;
    case field::authorization: return &request_.authorization;
    case field::user_agent: return &request_.user_agent;
    case field::digest: return &request_.digest;
    case field::depth: return &request_.depth;
    case field::origin: return &request_.origin;
    case field::sec_fetch_site: return &request_.sec_fetch_site;
    case field::unknown: break;
    default: return nullptr;
  }
  if (beast::iequals(text, "repr-digest")) return &request_.repr_digest;
  if (beast::iequals(text, "content-digest")) return &request_.content_digest;
  if (beast::iequals(text, "larder-build")) return &request_.larder_build;
  if (beast::iequals(text, "x-checksum-sha256")) return &request_.x_checksum_sha256;
  return nullptr;
}

void HeaderReader::on_host(std::string_view value) {
  if (has_host_) return refuse(400, "There is more than one Host header.");
  if (!is_host(value)) return refuse(400, "The Host header names no host.");
  has_host_ = true;
  request_.host.assign(value);
}

void HeaderReader::on_content_length(std::string_view value) {
  if (request_.content_length) return refuse(400, "There is more than one Content-Length header.");
  request_.content_length = decimal(value);
  if (!request_.content_length) return refuse(400, "Content-Length is not a number.");
}

void HeaderReader::on_transfer_encoding(std::string_view value) {
  if (request_.version == 10) return refuse(400, "HTTP/1.0 knows no Transfer-Encoding.");
  if (request_.chunked) return refuse(400, "There is more than one Transfer-Encoding header.");
  if (!beast::iequals(value, "chunked")) return refuse_coding(value);
  request_.chunked = true;
}

// 501 for a coding we do not know below the final "chunked". Without that at the
// end, or with it twice, nobody can tell where the body ends: 400, as RFC 9112
// has it in sections 6.1 and 6.3.
void HeaderReader::refuse_coding(std::string_view codings) {
  int times_chunked = 0;
  bool last_is_chunked = false;
  for (bool more = true; more;) {
    const auto comma = codings.find(',');
    last_is_chunked = beast::iequals(trimmed(codings.substr(0, comma)), "chunked");
    if (last_is_chunked) ++times_chunked;
    more = comma != codings.npos;
    if (more) codings.remove_prefix(comma + 1);
  }
  if (times_chunked != 1 || !last_is_chunked)
    return refuse(400, "Transfer-Encoding does not end with the only 'chunked'.");
  refuse(501, "This server understands no Transfer-Encoding but 'chunked'.");
}

void HeaderReader::on_expect(std::string_view value) {
  if (request_.version == 10) return;  // to be ignored: RFC 9110, section 10.1.1
  if (!beast::iequals(value, "100-continue"))
    return refuse(417, "This server can meet no expectation but '100-continue'.");
  request_.expects_continue = true;
}

Refusal HeaderReader::check_whole() {
  if (request_.version == 11 && !has_host_) return {400, "An HTTP/1.1 request needs a Host header."};
  if (request_.chunked && request_.content_length)
    return {400, "A request cannot have both Content-Length and Transfer-Encoding."};
  request_.keep_alive = keep_alive();
  request_.expects_continue = request_.expects_continue && request_.has_body();
  return {};
}

// "HTTP/3.0" is a version we do not speak, "HTTX/1.1" is no version.
bool names_other_version(std::string_view block) {
  const std::string_view line = block.substr(0, block.find('\r'));
  const std::string_view version = line.substr(line.rfind(' ') + 1);
  const auto digit = [&](std::size_t i) { return version[i] >= '0' && version[i] <= '9'; };
  return version.size() == 8 && version.starts_with("HTTP/") && digit(5) && version[6] == '.' && digit(7);
}

Refusal HeaderReader::refusal_of(const Failure& failure, std::string_view block) const {
  using beast::http::error;
  if (failure == error::bad_version) {
    if (names_other_version(block)) return {505, "This server speaks HTTP/1.0 and HTTP/1.1."};
    return {400, "The request line does not end with an HTTP version."};
  }
  if (failure == error::bad_transfer_encoding || failure == error::bad_content_length ||
      failure == error::multiple_content_length)
    return {400, "Content-Length and Transfer-Encoding contradict each other or themselves."};
  if (failure == error::bad_value) return {400, "The Connection header is not a list of words."};
  return {400, "The header cannot be understood."};
}

}  // namespace

Refusal read_header(std::string_view block, Request& request) {
  HeaderReader reader(request);
  return reader.read(block);
}

}  // namespace larder::http
