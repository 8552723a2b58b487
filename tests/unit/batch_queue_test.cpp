#include "server/runtime/batch_queue.hpp"

#include <array>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/support/catch.hpp"

using namespace larder;

namespace {

struct Item {
  int number = 0;
  int squared = 0;
};
using Queue = BatchQueue<Item>;

Task<void> send(Queue& queue, Item& item, int& failures) {
  try {
    co_await queue.run(item);
  } catch (const std::runtime_error&) {
    ++failures;
  }
}

Task<void> count_returns(Queue& queue, Item& item, LoopExecutor loop, std::size_t& to_loop) {
  co_await queue.run(item);
  if (loop.running_in_this_thread()) ++to_loop;
}

// Sends all numbers through the queue at once; how many came back with an exception. `loop` has to outlive
// the pool's threads.
int run_all(asio::io_context& loop, Queue& queue, std::vector<Item>& items) {
  loop.restart();
  int failures = 0;
  for (Item& item : items) asio::co_spawn(loop.get_executor(), send(queue, item, failures), asio::detached);
  loop.run();
  return failures;
}

std::vector<Item> numbers(int count) {
  std::vector<Item> items(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) items[static_cast<std::size_t>(i)].number = i;
  return items;
}

}  // namespace

TEST_CASE("a queue does everything once, whatever comes together", "[runtime]") {
  asio::io_context loop;
  DiskPool pool(3);
  std::atomic<int> done{0};
  Queue::Limits limits;
  limits.runners = GENERATE(1, 3);
  limits.most = GENERATE(1, 7, 64);
  std::atomic<std::size_t> largest{0};
  Queue queue(pool, limits, [&](std::span<Item* const> items) {
    largest = std::max(largest.load(), items.size());
    for (Item* each : items) each->squared = each->number * each->number;
    done += static_cast<int>(items.size());
  });
  std::vector<Item> items = numbers(200);
  CHECK(run_all(loop, queue, items) == 0);
  CHECK(done == 200);
  CHECK(largest <= limits.most);
  for (const Item& each : items) CHECK(each.squared == each.number * each.number);
  pool.stop();
}

TEST_CASE("who comes while a queue is busy goes together with the others", "[runtime]") {
  DiskPool pool(2);
  Queue::Limits limits;
  limits.runners = 1;
  std::vector<std::size_t> sizes;
  std::latch all_there(1);
  Queue queue(pool, limits, [&](std::span<Item* const> items) {
    if (sizes.empty()) all_there.wait();
    sizes.push_back(items.size());
  });
  asio::io_context loop;
  std::vector<Item> items = numbers(10);
  int failures = 0;
  for (Item& item : items) asio::co_spawn(loop.get_executor(), send(queue, item, failures), asio::detached);
  loop.poll();  // all of them wait now
  all_there.count_down();
  loop.run();
  pool.stop();
  REQUIRE(sizes.size() <= 2);
  std::size_t sum = 0;
  for (const std::size_t each : sizes) sum += each;
  CHECK(sum == 10);
}

TEST_CASE("each comes back on the loop it came from, whoever went with it", "[runtime]") {
  DiskPool pool(1);
  Queue queue(pool, {}, [](std::span<Item* const>) {});
  std::array<asio::io_context, 2> loops;
  std::vector<Item> items = numbers(20);
  std::array<std::size_t, 2> came_back{0, 0};
  for (std::size_t i = 0; i < items.size(); ++i) {
    const LoopExecutor loop = loops.at(i % 2).get_executor();
    asio::co_spawn(loop, count_returns(queue, items[i], loop, came_back.at(i % 2)), asio::detached);
  }
  std::thread other([&] { loops[1].run(); });
  loops[0].run();
  other.join();
  pool.stop();
  CHECK(came_back[0] == 10);
  CHECK(came_back[1] == 10);
}

TEST_CASE("what the work of a queue throws is told to all who went together", "[runtime]") {
  asio::io_context loop;
  DiskPool pool(1);
  Queue queue(pool, {}, [](std::span<Item* const> items) {
    for (const Item* each : items) {
      if (each->number >= 0) throw std::runtime_error("not this one");
    }
  });
  std::vector<Item> items = numbers(5);
  CHECK(run_all(loop, queue, items) == 5);
  for (Item& each : items) each.number = -1;
  CHECK(run_all(loop, queue, items) == 0);  // and it goes on
  pool.stop();
}
