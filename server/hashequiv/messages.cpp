#include "server/hashequiv/messages.hpp"

#include <array>
#include <cstdint>
#include <new>

namespace larder::hashequiv {
namespace {

namespace json = boost::json;

constexpr std::size_t k_chunk = 32 * 1024 - 1;  // characters without the end of the line
constexpr std::string_view k_white_space = " \t\r\n\v\f";

void append_escaped(std::string& out, std::uint32_t unit) {
  constexpr std::string_view k_digits = "0123456789abcdef";
  out.append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(k_digits[(unit >> shift) & 0xF]);
}

// JSON in UTF-8, where what is not ASCII is in strings alone: there it can be escaped.
std::string to_ascii(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      out.push_back(text[i++]);
      continue;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    std::uint32_t point = lead & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k)
      point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
    i += length;
    constexpr std::uint32_t k_first_pair = 0x10000;
    if (point < k_first_pair) {
      append_escaped(out, point);
    } else {
      append_escaped(out, 0xD800 + ((point - k_first_pair) >> 10));
      append_escaped(out, 0xDC00 + ((point - k_first_pair) & 0x3FF));
    }
  }
  return out;
}

// Memory for what is parsed, and no more than that: a few bytes of JSON can stand for many of a tree.
class Bounded final : public json::memory_resource {
 public:
  explicit Bounded(std::size_t bytes) : left_(bytes) {}

 private:
  void* do_allocate(std::size_t bytes, std::size_t /*at most what new gives*/) override {
    if (bytes > left_) throw std::bad_alloc();
    void* const memory = ::operator new(bytes);
    left_ -= bytes;
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t /*alignment*/) override {
    ::operator delete(memory);
    left_ += bytes;
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override { return this == &other; }

  std::size_t left_;
};

}  // namespace

std::optional<std::string_view> LineReader::next() {
  const auto end = buffer_.find('\n', taken_ + searched_);
  if (end == std::string::npos) {
    searched_ = buffer_.size() - taken_;
    return std::nullopt;
  }
  std::string_view line(buffer_.data() + taken_, end - taken_);
  taken_ = end + 1;
  searched_ = 0;
  const auto last = line.find_last_not_of(k_white_space);
  return line.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

void LineReader::forget_taken() {
  buffer_.erase(0, taken_);
  taken_ = 0;
  if (buffer_.empty()) std::string().swap(buffer_);
}

std::optional<json::value> parse_message(std::string_view text) {
  constexpr std::size_t k_times = 8;
  constexpr std::size_t k_more = 64 << 10;
  json::error_code failure;
  try {
    const json::storage_ptr memory = json::make_shared_resource<Bounded>(k_times * text.size() + k_more);
    json::parser parser(memory);
    parser.reset(memory);
    parser.write(text.data(), text.size(), failure);
    if (failure) return std::nullopt;
    return parser.release();
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

bool announces_chunks(const json::value& message) {
  return message.is_object() && message.get_object().contains("chunk-stream");
}

// The peer takes white space from the end of each line: a chunk ends in none. It can only be part of a
// string, and be written otherwise there.
void append_message(std::string& out, const json::value& message) {
  const std::string text = to_ascii(json::serialize(message));
  if (text.size() < k_chunk) return append_line(out, text);
  out.append("{\"chunk-stream\": null}\n");
  for (std::size_t begin = 0; begin < text.size(); begin += k_chunk) {
    std::string_view chunk = std::string_view(text).substr(begin, k_chunk);
    const bool ends_blank = chunk.back() == ' ';
    if (ends_blank) chunk.remove_suffix(1);
    out.append(chunk);
    if (ends_blank) append_escaped(out, ' ');
    out.push_back('\n');
  }
  out.push_back('\n');
}

void append_line(std::string& out, std::string_view line) {
  out.append(line);
  out.push_back('\n');
}

}  // namespace larder::hashequiv
