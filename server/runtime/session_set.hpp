// The sessions of one loop: counted, closed when their deadline passes, told to
// finish when the daemon ends. One look a second stands for all their timers.
// Everything but the counts happens on the loop's thread.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <unordered_set>

#include "server/runtime/connection.hpp"

namespace larder {

// What a SessionSet sees of a session. One that has more than its one connection
// says itself what its deadline is and what ends with it.
class Session {
 public:
  virtual ~Session() = default;
  virtual Connection& connection() = 0;
  virtual bool idle() const = 0;  // between requests: closing now loses nothing
  virtual SteadyTime deadline() { return connection().deadline(); }
  virtual void look(SteadyTime now) { (void)now; }  // called every second
  virtual void expire() { connection().expire(); }  // the deadline has passed
  virtual void close() { connection().close(); }    // all of it, at once
};

class SessionSet {
 public:
  explicit SessionSet(asio::io_context& loop);

  void start();  // from the loop's thread or before it runs

  // Registers a session for as long as the guard lives.
  class Guard {
   public:
    Guard(SessionSet& set, Session& session);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    SessionSet& set_;
    Session& session_;
  };

  void drain();      // idle sessions end now, the others after their request
  void close_all();  // now
  bool draining() const { return draining_; }
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }  // from any thread

 private:
  using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                           asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;
  void schedule();
  void close_expired();

  Timer timer_;
  std::unordered_set<Session*> sessions_;
  std::atomic<std::size_t> size_{0};
  bool draining_ = false;
};

}  // namespace larder
