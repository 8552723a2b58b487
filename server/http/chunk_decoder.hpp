// Takes the chunked transfer coding off a body (RFC 9112, section 7.1), piece
// by piece and without a buffer of its own. Stricter than it has to be:
// whoever stands in front of this server may be less strict, and a difference
// of opinion about a chunk's size is a smuggled request. So: lines end with
// CRLF, a size has at most 16 digits and nothing around it, extensions are
// skipped up to a limit for the whole message, trailers are checked and ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/http/header_scanner.hpp"

namespace larder::http {

inline constexpr std::size_t k_max_chunk_extensions = 4 * 1024;  // bytes in one message

class ChunkDecoder {
 public:
  struct Step {
    std::size_t consumed = 0;  // bytes that are done with
    std::string_view body;     // content among them; may be empty
  };

  explicit ChunkDecoder(HeaderLimits trailer_limits = {});

  // At most one piece of content a call; call again while there is input and
  // the message is neither complete nor refused.
  Step decode(std::string_view bytes);

  bool complete() const { return state_ == State::complete; }
  const Refusal& refusal() const { return refusal_; }
  void restart();

 private:
  enum class State : std::uint8_t {
    size,
    space,
    extension,
    size_lf,
    content,
    content_cr,
    content_lf,
    trailer,
    complete,
    failed,
  };

  void on_framing(char c);
  void on_size(char c);
  void on_extension(char c);
  void start_chunk();
  void refuse(std::string_view reason);

  State state_ = State::size;
  int digits_ = 0;
  std::uint64_t left_ = 0;  // of the chunk's size while it is read, then of its content
  std::size_t extensions_ = 0;
  HeaderScanner trailer_;
  Refusal refusal_;
};

}  // namespace larder::http
