#include "server/http/request_parser.hpp"

#include <algorithm>

#include "server/http/request_header.hpp"

namespace larder::http {
namespace {

// More memory than this is not kept from one request to the next.
constexpr std::size_t k_kept_capacity = 4 * 1024;

}  // namespace

std::string_view name_of(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::put: return "PUT";
    case Method::delete_: return "DELETE";
    case Method::post: return "POST";
    case Method::options: return "OPTIONS";
    case Method::mkcol: return "MKCOL";
    case Method::propfind: return "PROPFIND";
    case Method::other: break;
  }
  return {};
}

void Request::clear() {
  method = Method::other;
  version = 11;
  keep_alive = false;
  content_length.reset();
  chunked = false;
  expects_continue = false;
  for (std::string* const field : {&method_text,
                                   &target,
                                   &host,
                                   &range,
                                   &if_range,
                                   &if_match,
                                   &if_none_match,
                                   &if_modified_since,
                                   &if_unmodified_since,
                                   &accept,
                                   &accept_encoding,
                                   &content_encoding,
                                   &content_range,
                                   &content_type,
                                   &authorization,
                                   &user_agent,
                                   &repr_digest,
                                   &content_digest,
                                   &digest,
                                   &x_checksum_sha256,
                                   &depth,
                                   &larder_build,
                                   &origin,
                                   &sec_fetch_site})
    field->clear();
}

RequestParser::RequestParser(HeaderLimits limits)
    : scanner_(HeaderScanner::Section::request, limits), chunks_(limits) {}

bool RequestParser::idle() const {
  return phase_ == Phase::header && !scanner_.started();
}

void RequestParser::reset() {
  phase_ = Phase::header;
  scanner_.restart();
  chunks_.restart();
  partial_.clear();
  if (partial_.capacity() > k_kept_capacity) partial_.shrink_to_fit();
  request_.clear();
  body_bytes_ = 0;
  refusal_ = {};
}

void RequestParser::release() {
  reset();
  std::string().swap(partial_);
  request_ = Request();
}

ParseStep RequestParser::feed(std::string_view input) {
  switch (phase_) {
    case Phase::header: return feed_header(input);
    case Phase::body: return request_.chunked ? feed_chunked_body(input) : feed_fixed_body(input);
    case Phase::complete: return {ParseEvent::complete, 0, {}};
    case Phase::failed: break;
  }
  return {ParseEvent::failed, 0, {}};
}

// A block that arrives whole is read where it lies; only one that comes in
// pieces is put together first.
ParseStep RequestParser::feed_header(std::string_view input) {
  const std::size_t taken = scanner_.scan(input);
  if (scanner_.refusal()) return failed(taken, scanner_.refusal());

  std::string_view block = input.substr(0, taken);
  if (!partial_.empty() || !scanner_.complete()) {
    partial_.append(block);
    block = partial_;
  }
  if (!scanner_.complete()) return {ParseEvent::need_more, taken, {}};

  const Refusal refusal = read_header(block.substr(scanner_.leading()), request_);
  if (refusal) return failed(taken, refusal);
  phase_ = request_.has_body() ? Phase::body : Phase::complete;
  return {ParseEvent::header, taken, {}};
}

ParseStep RequestParser::feed_fixed_body(std::string_view input) {
  if (input.empty()) return {};
  const std::uint64_t left = *request_.content_length - body_bytes_;
  const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(left, input.size()));
  body_bytes_ += length;
  if (length == left) phase_ = Phase::complete;
  return {ParseEvent::body, length, input.substr(0, length)};
}

void RequestParser::took_body(std::size_t count) {
  body_bytes_ += count;
  if (body_bytes_ == *request_.content_length) phase_ = Phase::complete;
}

ParseStep RequestParser::feed_chunked_body(std::string_view input) {
  const ChunkDecoder::Step step = chunks_.decode(input);
  if (chunks_.refusal()) return failed(step.consumed, chunks_.refusal());
  if (chunks_.complete()) phase_ = Phase::complete;
  body_bytes_ += step.body.size();
  if (!step.body.empty()) return {ParseEvent::body, step.consumed, step.body};
  return {complete() ? ParseEvent::complete : ParseEvent::need_more, step.consumed, {}};
}

ParseStep RequestParser::failed(std::size_t consumed, Refusal refusal) {
  phase_ = Phase::failed;
  refusal_ = refusal;
  return {ParseEvent::failed, consumed, {}};
}

}  // namespace larder::http
