// Threads for whatever may wait for the disk. A loop hands a function and its
// arguments over and goes on when the result is there:
//
//   const auto entry = co_await pool.run(&Store::stat, &store, key);
//
// The queue is bounded by construction: a session waits for its job before it
// asks for the next, and the number of sessions is limited at accept. The pool
// has to be stopped before the loops whose coroutines wait for it are destroyed.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "server/runtime/coroutine.hpp"

namespace larder {

class DiskPool {
 public:
  explicit DiskPool(std::size_t threads);
  ~DiskPool();

  // Calls `function(arguments...)` on a thread of the pool and resumes the
  // caller on its loop with what it returned, or with what it threw.
  template <typename Function, typename... Arguments>
  Task<std::invoke_result_t<Function, Arguments...>> run(Function function, Arguments... arguments);

  // The same without waiting for it.
  void post(std::function<void()> job);

  std::size_t size() const { return threads_.size(); }
  std::size_t pending() const;  // queued or running
  bool is_waited_for() const;   // something is queued
  void stop();                  // finishes what is queued, then joins

 private:
  class Job {
   public:
    virtual ~Job() = default;
    virtual void run() = 0;
  };
  template <typename Work, typename Handler>
  class ResumingJob;

  void submit(std::unique_ptr<Job> job);
  bool should_wake();
  void work();

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::size_t running_ = 0;
  std::size_t idle_ = 0;  // threads that wait for a job,
  bool waking_ = false;   // and one of them has been told that there is one
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Does the work, then wakes the coroutine that `handler` stands for.
template <typename Work, typename Handler>
class DiskPool::ResumingJob final : public Job {
 public:
  ResumingJob(Work& work, Handler handler) : work_(work), handler_(std::move(handler)) {}

  void run() override {
    work_();
    const auto executor = asio::get_associated_executor(handler_);
    asio::post(executor, std::move(handler_));
  }

 private:
  Work& work_;  // in the frame of the waiting coroutine
  Handler handler_;
};

template <typename Function, typename... Arguments>
Task<std::invoke_result_t<Function, Arguments...>> DiskPool::run(Function function, Arguments... arguments) {
  using Outcome = std::invoke_result_t<Function, Arguments...>;
  std::optional<Outcome> outcome;
  std::exception_ptr failure;
  auto work = [&] {
    try {
      outcome.emplace(std::invoke(std::move(function), std::move(arguments)...));
    } catch (...) {
      failure = std::current_exception();
    }
  };
  auto initiate = [this, &work](auto handler) {
    submit(std::make_unique<ResumingJob<decltype(work), decltype(handler)>>(work, std::move(handler)));
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<LoopExecutor>, void()>(initiate, k_as_task);
  if (failure) std::rethrow_exception(failure);
  co_return std::move(*outcome);
}

}  // namespace larder
