// A daemon in this process, on port 0 and a real disk.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "server/daemon.hpp"
#include "tests/support/temporary_directory.hpp"

namespace larder {

struct Running {
  explicit Running(const std::function<void(Config&)>& change = [](Config&) {}) {
    Config config;
    config.data = directory.path() / "data";
    config.http.listen = {{"127.0.0.1", 0}};
    config.ftp.listen = {{{"127.0.0.1", 0}, ""}};
    config.free_space_floor = ByteSize{0};
    config.free_inode_floor = 0;
    config.disk_threads = 4;
    config.loops = 2;
    change(config);
    auto started = Daemon::start(config, silent_logs());
    if (!started) throw std::runtime_error(started.error().message());
    daemon = std::move(*started);
  }
  std::uint16_t port() const { return daemon->http().port(0); }

  TemporaryDirectory directory;
  std::unique_ptr<Daemon> daemon;
};

inline std::string many_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& each : bytes) each = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

// Polls until `condition` holds; false after ten seconds.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace larder
