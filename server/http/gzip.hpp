// gzip of answers that are text, and of request bodies that came so.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.hpp"

struct z_stream_s;

namespace larder::http {

// Whether an Accept-Encoding field allows gzip (RFC 9110 section 12.5.3).
bool accepts_gzip(std::string_view accept_encoding);

class GzipWriter {
 public:
  GzipWriter();
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  std::string compress(std::string_view text);  // what is ready to be sent; perhaps nothing yet
  std::string finish();

 private:
  std::string deflate(std::string_view text, int flush);

  std::unique_ptr<z_stream_s> stream_;
};

// Everything a complete gzip stream (of one or more members) holds. Errc::too_large beyond
// `limit` bytes, Errc::invalid_argument when it is damaged or cut.
Result<std::string> gunzip(std::string_view compressed, std::size_t limit);

}  // namespace larder::http
