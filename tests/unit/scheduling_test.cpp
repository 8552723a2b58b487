#include "server/runtime/scheduling.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "tests/support/catch.hpp"

using namespace larder;

namespace {

// A turn of the calling thread in nanoseconds, as the kernel tells it; empty where it does not.
std::string slice() {
  std::ifstream file("/proc/thread-self/sched");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("se.slice")) return line.substr(line.rfind(' ') + 1);
  return {};
}

// Linux 6.12 and later.
bool has_turns_of_its_own() {
  utsname system{};
  ::uname(&system);
  int major = 0;
  int minor = 0;
  if (std::sscanf(system.release, "%d.%d", &major, &minor) != 2) return false;
  return std::pair(major, minor) >= std::pair(6, 12);
}

}  // namespace

TEST_CASE("a loop's turns are short, and its share stays", "[runtime]") {
  std::string before;
  std::string after;
  int priority = -1;
  std::thread([&] {
    before = slice();
    schedule_as_loop();
    after = slice();
    priority = ::getpriority(PRIO_PROCESS, 0);
  }).join();
  CHECK(priority == ::getpriority(PRIO_PROCESS, 0));
  if (!before.empty() && has_turns_of_its_own()) {
    CHECK(after == "100000");
  } else {
    CHECK(after == before);
  }
}

TEST_CASE("what works in the background stands back by itself", "[runtime]") {
  int priority = 0;
  std::thread([&] {
    schedule_as_background();
    priority = ::getpriority(PRIO_PROCESS, 0);
  }).join();
  const int here = ::getpriority(PRIO_PROCESS, 0);
  CHECK(priority == std::min(19, here + 15));
}
