#include "client/interrupt.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

namespace larder::client {
namespace {

// The one global of the program: a signal handler has nothing else to hold.
std::atomic<bool> g_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void remember(int) {
  g_interrupted = true;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = remember;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // TLS writes to a closed connection would end the process; the reader of a pipe
  // that went away shows on the stream.
  std::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() {
  return g_interrupted;
}

bool wait_uninterrupted(std::chrono::milliseconds duration) {
  constexpr std::chrono::milliseconds k_step{50};
  const auto deadline = std::chrono::steady_clock::now() + duration;
  while (!interrupted()) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return true;
    std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(left, k_step));
  }
  return false;
}

}  // namespace larder::client
