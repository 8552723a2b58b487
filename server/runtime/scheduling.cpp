#include "server/runtime/scheduling.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace larder {

namespace {

constexpr std::uint64_t k_shortest_turn = 100'000;  // nanoseconds
constexpr int k_background = 15;                    // so much nicer than the process is

// `struct sched_attr` of <linux/sched/types.h>, which does not go together with <sched.h>, in its first
// version.
struct Attributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;  // of an ordinary thread: a turn
  std::uint64_t deadline;
  std::uint64_t period;
};

void be_nicer(int by) {
  errno = 0;  // -1 is a priority as well
  const int now = ::getpriority(PRIO_PROCESS, 0);
  if (errno == 0) ::setpriority(PRIO_PROCESS, 0, now + by);  // the kernel cuts it to 19
}

}  // namespace

void schedule_as_loop() {
  Attributes attributes{};
  if (::syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;  // somebody has other plans
  attributes.runtime = k_shortest_turn;
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

void schedule_as_background() {
  constexpr int k_this_thread = 1;       // IOPRIO_WHO_PROCESS
  constexpr int k_idle_class = 3 << 13;  // IOPRIO_CLASS_IDLE
  be_nicer(k_background);
  ::syscall(SYS_ioprio_set, k_this_thread, 0, k_idle_class);
}

}  // namespace larder
