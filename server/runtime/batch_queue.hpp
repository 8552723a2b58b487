// Gathers what many coroutines want done and does it together, on threads of the
// pool. Who comes first is not made to wait for company; who comes while a runner is busy
// goes with whatever else has come by the time it is through. So a crowd costs less
// than its members.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "server/runtime/disk_pool.hpp"

namespace larder {

template <typename Item>
class BatchQueue {
 public:
  // Does something about all of them. What it throws, each of them is told.
  using Work = std::function<void(std::span<Item* const>)>;
  struct Limits {
    std::size_t runners = 4;  // threads that work at the same time,
    std::size_t crowd = 8;    // another one for every so many items that wait
    std::size_t most = 64;    // items that go together
  };

  BatchQueue(DiskPool& pool, Limits limits, Work work)
      : pool_(pool), limits_(limits), work_(std::move(work)) {}

  // Resumes on the caller's loop when `work` has had the item.
  Task<void> run(Item& item) {
    Waiter waiter;
    waiter.item = &item;
    auto initiate = [this, &waiter](auto handler) {
      waiter.resume = std::make_unique<Resume<decltype(handler)>>(std::move(handler));
      add(waiter);
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<LoopExecutor>, void()>(initiate, k_as_task);
    if (waiter.failure) std::rethrow_exception(waiter.failure);
  }

 private:
  struct Resumable {
    virtual ~Resumable() = default;
    virtual LoopExecutor loop() const = 0;
    virtual void operator()() = 0;  // on that loop
  };
  template <typename Handler>
  struct Resume final : Resumable {
    explicit Resume(Handler handler_of_waiter) : handler(std::move(handler_of_waiter)) {}
    LoopExecutor loop() const override { return asio::get_associated_executor(handler); }
    void operator()() override { std::move(handler)(); }
    Handler handler;
  };
  struct Waiter {
    Item* item = nullptr;
    std::exception_ptr failure;
    std::unique_ptr<Resumable> resume;
  };

  void add(Waiter& waiter) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(&waiter);
      const std::size_t wanted = 1 + waiting_.size() / limits_.crowd;
      if (running_ >= std::min(wanted, limits_.runners)) return;
      ++running_;
    }
    pool_.post([this] { work_off(); });
  }

  void work_off() {
    std::vector<Waiter*> waiters;
    std::vector<Item*> items;
    while (take(waiters)) {
      items.clear();
      for (Waiter* each : waiters) items.push_back(each->item);
      std::exception_ptr failure;
      try {
        work_(items);
      } catch (...) {
        failure = std::current_exception();
      }
      for (Waiter* each : waiters) each->failure = failure;
      resume(waiters);  // and they may be gone
      if (!pool_.is_waited_for()) continue;
      pool_.post([this] { work_off(); });  // others first
      return;
    }
  }

  // A loop is woken once for all that are its own: it would come up for each of them, and go to sleep again.
  static void resume(const std::vector<Waiter*>& waiters) {
    std::vector<std::unique_ptr<Resumable>> left;
    for (Waiter* each : waiters) left.push_back(std::move(each->resume));
    while (!left.empty()) {
      const LoopExecutor loop = left.front()->loop();
      const auto others = std::stable_partition(left.begin(), left.end(),
                                                [&](const auto& each) { return each->loop() == loop; });
      std::vector<std::unique_ptr<Resumable>> together(std::make_move_iterator(left.begin()),
                                                       std::make_move_iterator(others));
      left.erase(left.begin(), others);
      asio::post(loop, [together = std::move(together)] {
        for (const auto& each : together) (*each)();
      });
    }
  }

  bool take(std::vector<Waiter*>& waiters) {
    waiters.clear();
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(waiting_.size(), limits_.most);
    waiters.assign(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    if (count == 0) --running_;
    return count > 0;
  }

  DiskPool& pool_;
  const Limits limits_;
  const Work work_;
  std::mutex mutex_;
  std::deque<Waiter*> waiting_;  // in the frames of their coroutines
  std::size_t running_ = 0;
};

}  // namespace larder
