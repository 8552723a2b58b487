#include "server/http/header_scanner.hpp"

#include <algorithm>

#include "server/http/header_bytes.hpp"

namespace larder::http {
namespace {

constexpr std::size_t k_max_method = 32;
constexpr std::size_t k_max_version = 16;

// Where to stop looking when at most `room` bytes may follow.
const char* within(const char* at, const char* end, std::size_t room) {
  return room < static_cast<std::size_t>(end - at) ? at + room : end;
}

}  // namespace

HeaderScanner::HeaderScanner(Section section, HeaderLimits limits) : limits_(limits), section_(section) {
  restart();
}

void HeaderScanner::restart() {
  state_ = section_ == Section::request ? State::before : State::line_start;
  scanned_ = 0;
  leading_ = 0;
  part_ = 0;
  refusal_ = {};
}

std::size_t HeaderScanner::scan(std::string_view bytes) {
  if (state_ == State::complete || state_ == State::failed) return 0;
  const char* const begin = bytes.data();
  const char* const end = begin + std::min(bytes.size(), limits_.block_bytes - scanned_);
  const char* at = begin;
  while (at != end && state_ != State::complete && state_ != State::failed) at = step(at, end);

  const auto looked_at = static_cast<std::size_t>(at - begin);
  scanned_ += looked_at;
  const bool open = state_ != State::complete && state_ != State::failed;
  if (open && scanned_ == limits_.block_bytes)
    refuse(at, 431, "The header is larger than this server accepts.");
  return looked_at;
}

const char* HeaderScanner::step(const char* at, const char* end) {
  switch (state_) {
    case State::before: return scan_start(at);
    case State::before_lf: return expect_line_feed(at, State::before);
    case State::method: return scan_method(at, end);
    case State::target: return scan_target(at, end);
    case State::version: return scan_version(at, end);
    case State::line_lf: return expect_line_feed(at, State::line_start);
    case State::line_start: return scan_line_start(at);
    case State::name: return scan_name(at, end);
    case State::value: return scan_value(at, end);
    case State::end_lf: return expect_line_feed(at, State::complete);
    case State::complete:
    case State::failed: break;
  }
  return end;
}

// One empty line before the request line is forgiven (RFC 9112, section 2.2):
// old clients end a body with a CRLF they do not count.
const char* HeaderScanner::scan_start(const char* at) {
  if (*at == '\r' && leading_ == 0) {
    leading_ = 2;
    state_ = State::before_lf;
    return at + 1;
  }
  if (!is(k_token, *at)) return refuse_byte(at, "This is not an HTTP request.");
  state_ = State::method;
  return at;
}

const char* HeaderScanner::scan_method(const char* at, const char* end) {
  const char* const stop = skip(k_token, at, within(at, end, k_max_method + 1 - part_));
  part_ += static_cast<std::size_t>(stop - at);
  if (part_ > k_max_method) return refuse(stop, 400, "The method is too long to be one.");
  if (stop == end) return stop;
  if (*stop != ' ') return refuse_byte(stop, "The request line does not start with a method and a space.");
  part_ = 0;
  state_ = State::target;
  return stop + 1;
}

const char* HeaderScanner::scan_target(const char* at, const char* end) {
  const char* const stop = skip(k_visible, at, within(at, end, limits_.target_bytes + 1 - part_));
  part_ += static_cast<std::size_t>(stop - at);
  if (part_ > limits_.target_bytes)
    return refuse(stop, 414, "The request target is longer than this server accepts.");
  if (stop == end) return stop;
  if (*stop != ' ' || part_ == 0) return refuse_byte(stop, "The request line has no target and version.");
  part_ = 0;
  state_ = State::version;
  return stop + 1;
}

const char* HeaderScanner::scan_version(const char* at, const char* end) {
  const char* const stop = skip(k_visible, at, within(at, end, k_max_version + 1 - part_));
  part_ += static_cast<std::size_t>(stop - at);
  if (part_ > k_max_version) return refuse(stop, 400, "The request line does not end with an HTTP version.");
  if (stop == end) return stop;
  if (*stop != '\r' || part_ == 0)
    return refuse_byte(stop, "The request line does not end with an HTTP version.");
  state_ = State::line_lf;
  return stop + 1;
}

const char* HeaderScanner::scan_line_start(const char* at) {
  part_ = 0;
  if (*at == '\r') {
    state_ = State::end_lf;
    return at + 1;
  }
  if (*at == ' ' || *at == '\t')
    return refuse(at, 400, "A header line starts with white space (obsolete line folding).");
  if (*at == ':') return refuse(at, 400, "A header field has no name.");
  state_ = State::name;
  return at;
}

const char* HeaderScanner::scan_name(const char* at, const char* end) {
  const char* const stop = skip(k_token, at, end);
  if (stop == end) return stop;
  if (*stop == ' ' || *stop == '\t')
    return refuse(stop, 400, "White space stands before the colon of a header field.");
  if (*stop != ':') return refuse_byte(stop, "A header line is not of the form 'name: value'.");
  state_ = State::value;
  return stop + 1;
}

const char* HeaderScanner::scan_value(const char* at, const char* end) {
  const char* const stop = skip(k_value, at, end);
  if (stop == end) return stop;
  if (*stop != '\r') return refuse_byte(stop, "A header value holds a control character.");
  state_ = State::line_lf;
  return stop + 1;
}

const char* HeaderScanner::expect_line_feed(const char* at, State next) {
  if (*at != '\n') return refuse(at, 400, "A carriage return stands alone in the header.");
  state_ = next;
  return at + 1;
}

const char* HeaderScanner::refuse(const char* at, int status, std::string_view reason) {
  state_ = State::failed;
  refusal_ = {status, reason};
  return at;
}

const char* HeaderScanner::refuse_byte(const char* at, std::string_view otherwise) {
  const auto byte = static_cast<std::uint8_t>(*at);
  if (byte == '\n') return refuse(at, 400, "A line of the header ends with a bare line feed.");
  if (byte == '\0') return refuse(at, 400, "The header holds a NUL byte.");
  return refuse(at, 400, otherwise);
}

std::string_view header_block_defect(std::string_view block) {
  HeaderScanner scanner(HeaderScanner::Section::request, {block.size() + 1, block.size() + 1});
  scanner.scan(block);
  if (scanner.refusal()) return scanner.refusal().reason;
  if (!scanner.complete()) return "The header block does not end with an empty line.";
  return {};
}

}  // namespace larder::http
