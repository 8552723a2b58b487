#include "server/http/job_stream.hpp"

#include <atomic>
#include <thread>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

TEST_CASE("a job goes no faster than its client reads", "[job]") {
  JobLines lines;
  constexpr std::size_t k_count = 100'000;
  const std::string line(98, 'x');
  std::thread job([&] {
    for (std::size_t i = 0; i < k_count; ++i) lines.add(line);
    lines.done(Result<void>());
  });
  std::size_t bytes = 0;
  std::size_t most = 0;
  for (bool done = false; !done;) {
    const std::string news = lines.take(done);
    bytes += news.size();
    most = std::max(most, news.size());
    std::this_thread::yield();
  }
  job.join();
  CHECK(bytes == k_count * 99);
  CHECK(most <= JobLines::k_most + 99);
}

TEST_CASE("a job whose client is gone does not wait for it", "[job]") {
  JobLines lines;
  const std::string line(JobLines::k_most, 'x');
  std::thread job([&] {
    for (int i = 0; i < 5; ++i) lines.add(line);
    lines.done(Result<void>(Error(Errc::cancelled, "stopped")));
  });
  lines.close();
  job.join();
  bool done = false;
  CHECK(lines.take(done).empty());
  CHECK(done);
}
