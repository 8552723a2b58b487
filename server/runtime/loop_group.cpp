#include "server/runtime/loop_group.hpp"

#include <algorithm>

#include "server/runtime/scheduling.hpp"

namespace larder {

LoopGroup::LoopGroup(std::size_t count) {
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t wanted = count == 0 ? cores : count;
  for (std::size_t i = 0; i < wanted; ++i) {
    loops_.push_back(std::make_unique<asio::io_context>(1));
    guards_.push_back(asio::make_work_guard(*loops_.back()));
  }
}

LoopGroup::~LoopGroup() {
  stop();
}

void LoopGroup::start() {
  for (auto& loop : loops_) {
    threads_.emplace_back([&loop] {
      schedule_as_loop();
      loop->run();
    });
  }
}

void LoopGroup::stop() {
  for (auto& loop : loops_) loop->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace larder
