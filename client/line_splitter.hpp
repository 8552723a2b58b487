// Takes a stream that comes in pieces apart into its lines, without their ends.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace larder::client {

class LineSplitter {
 public:
  explicit LineSplitter(std::function<void(std::string_view)> on_line) : on_line_(std::move(on_line)) {}

  void feed(std::string_view bytes) {
    rest_ += bytes;
    std::size_t start = 0;
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', start)) {
      on_line_(std::string_view(rest_).substr(start, end - start));
      start = end + 1;
    }
    rest_.erase(0, start);
  }

 private:
  std::function<void(std::string_view)> on_line_;
  std::string rest_;
};

}  // namespace larder::client
