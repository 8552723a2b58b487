// The configuration in force. It can be replaced while it is read from any
// thread; versions read before stay valid, since all are kept until the end:
// reloads are rare and small.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/config.hpp"

namespace larder {

class LiveConfig {
 public:
  explicit LiveConfig(Config config) { take(std::move(config)); }

  const Config& operator*() const { return *current_.load(std::memory_order_acquire); }
  const Config* operator->() const { return &**this; }

  // Puts those settings of `next` in force that a running daemon can change, and names
  // the others that differ: they take effect at the next start.
  std::vector<std::string> reload(Config next);

 private:
  void take(Config config);

  std::mutex mutex_;
  std::vector<std::unique_ptr<const Config>> versions_;
  std::atomic<const Config*> current_{nullptr};
};

}  // namespace larder
