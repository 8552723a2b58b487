#include "server/runtime/disk_pool.hpp"

#include <algorithm>

namespace larder {

DiskPool::DiskPool(std::size_t threads) {
  for (std::size_t i = 0; i < std::max<std::size_t>(1, threads); ++i)
    threads_.emplace_back([this] { work(); });
}

DiskPool::~DiskPool() {
  stop();
}

void DiskPool::post(std::function<void()> job) {
  class PlainJob final : public Job {
   public:
    explicit PlainJob(std::function<void()> function) : function_(std::move(function)) {}
    void run() override { function_(); }

   private:
    std::function<void()> function_;
  };
  submit(std::make_unique<PlainJob>(std::move(job)));
}

std::size_t DiskPool::pending() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() + running_;
}

bool DiskPool::is_waited_for() const {
  const std::lock_guard lock(mutex_);
  return !queue_.empty();
}

// One thread at a time is woken, which then wakes the next before it begins: while it comes up, whoever is
// through with a job may have taken what it was woken for. `mutex_` is held.
bool DiskPool::should_wake() {
  if (waking_ || idle_ == 0 || queue_.empty()) return false;
  waking_ = true;
  return true;
}

void DiskPool::submit(std::unique_ptr<Job> job) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
    wake = should_wake();
  }
  if (wake) ready_.notify_one();
}

void DiskPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    while (queue_.empty() && !stopping_) {
      ++idle_;
      ready_.wait(lock);
      --idle_;
      waking_ = false;
    }
    if (queue_.empty()) return;
    std::unique_ptr<Job> job = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    const bool wake = should_wake();
    lock.unlock();
    if (wake) ready_.notify_one();
    job->run();
    job.reset();
    lock.lock();
    --running_;
  }
}

void DiskPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace larder
