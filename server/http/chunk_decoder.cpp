#include "server/http/chunk_decoder.hpp"

#include <algorithm>

namespace larder::http {
namespace {

constexpr int k_max_digits = 16;
constexpr std::uint64_t k_max_chunk = std::uint64_t{1} << 62;  // sums of two stay in range

int value_of_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_white(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

ChunkDecoder::ChunkDecoder(HeaderLimits trailer_limits)
    : trailer_(HeaderScanner::Section::trailer, trailer_limits) {}

void ChunkDecoder::restart() {
  state_ = State::size;
  digits_ = 0;
  left_ = 0;
  extensions_ = 0;
  trailer_.restart();
  refusal_ = {};
}

ChunkDecoder::Step ChunkDecoder::decode(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    switch (state_) {
      case State::content: {
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
        left_ -= length;
        if (left_ == 0) state_ = State::content_cr;
        return {at + length, bytes.substr(at, length)};
      }
      case State::trailer:
        at += trailer_.scan(bytes.substr(at));
        if (trailer_.complete()) state_ = State::complete;
        if (trailer_.refusal()) {
          refusal_ = trailer_.refusal();
          state_ = State::failed;
        }
        break;
      case State::complete:
      case State::failed: return {at, {}};
      default: on_framing(bytes[at++]);
    }
  }
  return {at, {}};
}

void ChunkDecoder::on_framing(char c) {
  switch (state_) {
    case State::size: return on_size(c);
    case State::space:
    case State::extension: return on_extension(c);
    case State::size_lf:
      if (c != '\n') return refuse("A carriage return stands alone in a chunk's first line.");
      return start_chunk();
    case State::content_cr:
      if (c != '\r') return refuse("A chunk is longer than it says.");
      state_ = State::content_lf;
      return;
    case State::content_lf:
      if (c != '\n') return refuse("A chunk does not end with CRLF.");
      state_ = State::size;
      return;
    default: return;
  }
}

void ChunkDecoder::on_size(char c) {
  const int value = value_of_hex(c);
  if (value >= 0) {
    if (++digits_ > k_max_digits || left_ >= (k_max_chunk >> 4))
      return refuse("A chunk's size is too large.");
    left_ = left_ * 16 + static_cast<std::uint64_t>(value);
    return;
  }
  if (digits_ == 0) return refuse("A chunk does not start with its size.");
  if (c == '\r') {
    state_ = State::size_lf;
    return;
  }
  if (c != ';' && !is_white(c)) return refuse("A chunk's size is not a hexadecimal number.");
  state_ = c == ';' ? State::extension : State::space;
  on_extension(c);
}

// White space is allowed before the semicolon only (RFC 9112, section 7.1.1),
// so "5 CRLF" is refused.
void ChunkDecoder::on_extension(char c) {
  if (c == '\r' && state_ == State::extension) {
    state_ = State::size_lf;
    return;
  }
  if (++extensions_ > k_max_chunk_extensions) return refuse("The chunk extensions are too long.");
  if (state_ == State::space) {
    if (c == ';') state_ = State::extension;
    if (c == ';' || is_white(c)) return;
    return refuse("White space follows a chunk's size.");
  }
  const auto byte = static_cast<unsigned char>(c);
  if ((byte < 0x20 && c != '\t') || byte == 0x7F)
    return refuse("A chunk extension holds a control character.");
}

void ChunkDecoder::start_chunk() {
  state_ = left_ == 0 ? State::trailer : State::content;
  digits_ = 0;
}

void ChunkDecoder::refuse(std::string_view reason) {
  refusal_ = {400, reason};
  state_ = State::failed;
}

}  // namespace larder::http
