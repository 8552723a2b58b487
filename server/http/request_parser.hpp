// Requests out of a stream of bytes. The parser takes what has arrived and
// says what it is: a header, a piece of a body, the end of a message, or a
// refusal with its status. It never takes a byte of the body before it has
// said `header`, so that the caller can decide about an upload first.
//
//   while (!input.empty()) {
//     const ParseStep step = parser.feed(input);
//     input.remove_prefix(step.consumed);
//     switch (step.event) { … }
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/chunk_decoder.hpp"
#include "server/http/header_scanner.hpp"

namespace larder::http {

enum class Method : std::uint8_t { get, head, put, delete_, post, options, mkcol, propfind, other };

std::string_view name_of(Method method);  // "GET"; empty for other

// One request without its body. The fields of a header that comes several
// times are joined with ", ", as RFC 9110 section 5.3 allows; a field that is
// absent is an empty string.
struct Request {
  Method method = Method::other;
  std::string method_text;
  std::string target;  // as it came, still percent-encoded
  int version = 11;    // 10 or 11
  bool keep_alive = false;

  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;  // there is a body, and the client waits for 100 before it sends it

  std::string host;
  std::string range, if_range;
  std::string if_match, if_none_match, if_modified_since, if_unmodified_since;
  std::string accept, accept_encoding;
  std::string content_encoding, content_range, content_type;
  std::string authorization, user_agent;
  std::string repr_digest, content_digest, digest, x_checksum_sha256;
  std::string depth;                   // of PROPFIND
  std::string larder_build;            // what an upload belongs to
  std::string origin, sec_fetch_site;  // a browser's word on which page made it send this

  // It depends on more than what is asked for, or wants a part of it.
  bool is_conditional() const {
    return !range.empty() || !if_match.empty() || !if_none_match.empty() || !if_modified_since.empty() ||
           !if_unmodified_since.empty();
  }
  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  void clear();  // keeps the strings' memory for the next request
};

enum class ParseEvent {
  need_more,  // all input is consumed, nothing can be said yet
  header,     // request() is filled; nothing behind the header is consumed
  body,       // `body` holds the next piece of content
  complete,   // the message is over; reset() before the next one
  failed,     // refusal() says why; the connection cannot go on
};

struct ParseStep {
  ParseEvent event = ParseEvent::need_more;
  std::size_t consumed = 0;
  std::string_view body;  // a part of the input; never empty with ParseEvent::body
};

class RequestParser {
 public:
  explicit RequestParser(HeaderLimits limits = {});

  ParseStep feed(std::string_view input);
  // So many bytes of a body of known length were read past the parser.
  void took_body(std::size_t count);

  // Valid from `header` until reset().
  const Request& request() const { return request_; }
  const Refusal& refusal() const { return refusal_; }

  // No byte of a request has arrived (an empty line before it does not count):
  // closing here loses nothing.
  bool idle() const;
  bool header_done() const { return phase_ == Phase::body || phase_ == Phase::complete; }
  // True from the last step that consumed a byte of the message; a request
  // without a body is complete with its header.
  bool complete() const { return phase_ == Phase::complete; }
  std::uint64_t body_bytes() const { return body_bytes_; }  // content so far

  void reset();
  void release();  // reset(), and no memory is kept

 private:
  enum class Phase : std::uint8_t { header, body, complete, failed };

  ParseStep feed_header(std::string_view input);
  ParseStep feed_fixed_body(std::string_view input);
  ParseStep feed_chunked_body(std::string_view input);
  ParseStep failed(std::size_t consumed, Refusal refusal);

  Phase phase_ = Phase::header;
  HeaderScanner scanner_;
  ChunkDecoder chunks_;
  std::string partial_;  // the header so far, when it comes in pieces
  Request request_;
  std::uint64_t body_bytes_ = 0;
  Refusal refusal_;
};

}  // namespace larder::http
