// Text of unknown length, sent as it is or as gzip, by what the client accepts.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/http/exchange.hpp"
#include "server/http/gzip.hpp"

namespace larder::http {

class TextStream {
 public:
  TextStream(Exchange& exchange, bool packed) : exchange_(exchange) {
    if (packed) gzip_ = std::make_unique<GzipWriter>();
  }

  Task<bool> write(std::string_view text) {  // false: the client is gone
    if (!gzip_) co_return co_await exchange_.stream(text);
    const std::string packed = gzip_->compress(text);
    co_return co_await exchange_.stream(packed);
  }

  Task<void> finish() {
    if (gzip_) {
      const std::string rest = gzip_->finish();
      co_await exchange_.stream(rest);
    }
    co_await exchange_.end_stream();
  }

 private:
  Exchange& exchange_;
  std::unique_ptr<GzipWriter> gzip_;
};

}  // namespace larder::http
