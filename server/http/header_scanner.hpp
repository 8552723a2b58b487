// Finds the end of a header block and the first byte that has no place in it,
// whatever pieces the bytes come in. It runs before any parser looks at the
// block: proxies and servers that differ about a bare line feed, a folded line
// or a space before a colon disagree about where a request ends, and that is
// what request smuggling lives on (RFC 9112, sections 2.2, 5.1, 5.2 and 11.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace larder::http {

// Why a request is refused before anybody looks at what it asks for.
struct Refusal {
  int status = 0;           // 0: nothing is wrong
  std::string_view reason;  // one sentence, for people; static storage

  explicit operator bool() const { return status != 0; }
};

struct HeaderLimits {
  std::size_t block_bytes = 16 * 1024;  // request line, fields and every CRLF; beyond: 431
  std::size_t target_bytes = 8 * 1024;  // beyond: 414
};

class HeaderScanner {
 public:
  enum class Section { request, trailer };  // with or without a request line

  explicit HeaderScanner(Section section, HeaderLimits limits = {});

  // Looks at further bytes and says how many: all of them, or those up to and
  // with the end of the block, or those up to the first defect.
  std::size_t scan(std::string_view bytes);

  bool complete() const { return state_ == State::complete; }
  const Refusal& refusal() const { return refusal_; }
  bool started() const {
    return state_ != State::before && state_ != State::before_lf;
  }                                                 // on the request line
  std::size_t leading() const { return leading_; }  // bytes of an empty line before the request line
  void restart();

 private:
  enum class State : std::uint8_t {
    before,
    before_lf,
    method,
    target,
    version,
    line_lf,
    line_start,
    name,
    value,
    end_lf,
    complete,
    failed,
  };

  const char* step(const char* at, const char* end);
  const char* scan_start(const char* at);
  const char* scan_method(const char* at, const char* end);
  const char* scan_target(const char* at, const char* end);
  const char* scan_version(const char* at, const char* end);
  const char* scan_line_start(const char* at);
  const char* scan_name(const char* at, const char* end);
  const char* scan_value(const char* at, const char* end);
  const char* expect_line_feed(const char* at, State next);
  const char* refuse(const char* at, int status, std::string_view reason);
  const char* refuse_byte(const char* at, std::string_view otherwise);

  HeaderLimits limits_;
  Section section_;
  State state_;
  std::size_t scanned_ = 0;
  std::size_t leading_ = 0;
  std::size_t part_ = 0;  // length so far of the method, the target or the version
  Refusal refusal_;
};

// What is wrong with the bytes of a whole header block, or an empty view.
std::string_view header_block_defect(std::string_view block);

}  // namespace larder::http
