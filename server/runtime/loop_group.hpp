// One event loop for each core, one thread for each loop. What starts on a loop
// stays there: sessions need neither strands nor mutexes.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "server/runtime/coroutine.hpp"

namespace larder {

class LoopGroup {
 public:
  explicit LoopGroup(std::size_t count);  // 0: as many as there are cores
  ~LoopGroup();

  std::size_t size() const { return loops_.size(); }
  asio::io_context& at(std::size_t index) { return *loops_[index]; }

  void start();  // threads
  void stop();   // ends the loops, whatever is pending, and joins; may be called twice

 private:
  std::vector<std::unique_ptr<asio::io_context>> loops_;
  std::vector<asio::executor_work_guard<LoopExecutor>> guards_;
  std::vector<std::thread> threads_;
};

}  // namespace larder
