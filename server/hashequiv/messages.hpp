// The framing of what BitBake calls asyncrpc, as it goes over a stream: JSON values, one a line; a long
// one in chunks, each a line, behind an announcement and before an empty line. Pure.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace larder::hashequiv {

inline constexpr std::size_t k_longest_line = 64 << 10;  // bytes that a peer may send in one
inline constexpr std::size_t k_longest_message =
    8 << 20;  // bytes; outhash_siginfo lists each file of an output

// Lines out of what comes in pieces.
class LineReader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole line without its end and any white space there; nothing: there is none yet. Valid until
  // the next call of feed().
  std::optional<std::string_view> next();
  // What is left can be no line any more.
  bool endless() const { return buffer_.size() - taken_ > k_longest_line; }
  std::size_t buffered() const { return buffer_.size(); }
  void forget_taken();  // makes room; lines that were told are no longer valid

 private:
  std::string buffer_;
  std::size_t taken_ = 0;     // bytes of it that were told
  std::size_t searched_ = 0;  // bytes of it without an end of a line, from taken_ on
};

// Nothing: it is no JSON, or takes more memory than anything of that length that somebody means.
std::optional<boost::json::value> parse_message(std::string_view text);
// Whether a message says that chunks follow.
bool announces_chunks(const boost::json::value& message);

// Appends a value as a line or as chunks, in ASCII.
void append_message(std::string& out, const boost::json::value& message);
void append_line(std::string& out, std::string_view line);

}  // namespace larder::hashequiv
