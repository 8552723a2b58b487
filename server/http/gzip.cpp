#include "server/http/gzip.hpp"

#include <zlib.h>

#include <array>
#include <new>

#include "common/words.hpp"

namespace larder::http {
namespace {

constexpr int k_gzip_window = MAX_WBITS + 16;  // zlib's way to say "with a gzip header"

bool is_zero_quality(std::string_view parameters) {
  const auto q = parameters.find("q=");
  if (q == std::string_view::npos) return false;
  const std::string_view value = trimmed(parameters.substr(q + 2));
  return value.find_first_not_of("0.") == std::string_view::npos;
}

void set_input(z_stream& stream, std::string_view text) {
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // zlib does not write there
  stream.avail_in = static_cast<uInt>(text.size());
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const std::string_view item = trimmed(accept_encoding.substr(0, comma));
    const auto semicolon = item.find(';');
    if (trimmed(item.substr(0, semicolon)) == "gzip")
      return semicolon == std::string_view::npos || !is_zero_quality(item.substr(semicolon));
    if (comma == std::string_view::npos) break;
    accept_encoding.remove_prefix(comma + 1);
  }
  return false;
}

GzipWriter::GzipWriter() : stream_(std::make_unique<z_stream>()) {
  constexpr int k_memory_level = 8;
  if (deflateInit2(stream_.get(), Z_BEST_SPEED, Z_DEFLATED, k_gzip_window, k_memory_level,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
}

GzipWriter::~GzipWriter() {
  deflateEnd(stream_.get());
}

std::string GzipWriter::deflate(std::string_view text, int flush) {
  std::string out;
  std::array<char, 32768> piece;
  set_input(*stream_, text);
  do {
    stream_->next_out = reinterpret_cast<Bytef*>(piece.data());
    stream_->avail_out = piece.size();
    ::deflate(stream_.get(), flush);
    out.append(piece.data(), piece.size() - stream_->avail_out);
  } while (stream_->avail_out == 0);
  return out;
}

std::string GzipWriter::compress(std::string_view text) {
  return deflate(text, Z_NO_FLUSH);
}
std::string GzipWriter::finish() {
  return deflate({}, Z_FINISH);
}

Result<std::string> gunzip(std::string_view compressed, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, k_gzip_window) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, &::inflateEnd);
  std::string out;
  std::array<char, 32768> piece;
  set_input(stream, compressed);
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    const int status = ::inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
    if (out.size() > limit) return Error(Errc::too_large, "the decompressed body is too large");
    if (status == Z_STREAM_END && stream.avail_in == 0) return out;
    if (status == Z_STREAM_END) {
      if (inflateReset(&stream) != Z_OK) throw std::bad_alloc();
      continue;
    }
    const bool stuck = status == Z_BUF_ERROR || (stream.avail_in == 0 && stream.avail_out != 0);
    if (status != Z_OK || stuck) return Error(Errc::invalid_argument, "the gzip body is damaged or cut");
  }
}

}  // namespace larder::http
