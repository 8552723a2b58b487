// The sessions of one loop, and its connections that wait for one: counted, closed when
// their deadline passes, told to finish when the daemon ends. One look a second stands for
// all their timers.
// Everything but the counts happens on the loop's thread.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <unordered_set>

#include "server/runtime/connection.hpp"
#include "server/runtime/kept_connections.hpp"

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
  // What ends a session that is neither the peer's doing nor the disk's: a bug.
  using OnBug = KeptConnections::OnBug;

  SessionSet(asio::io_context& loop, OnBug on_bug);

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

  // Runs a session until it ends; its Guard is its own business.
  void spawn(Task<void> session);
  // Waits for the next request in the place of a session. While draining: it is closed.
  void keep(std::unique_ptr<KeptConnection> connection);

  void drain();      // idle sessions end now, the others after their request
  void close_all();  // now
  bool draining() const { return draining_; }
  // From any thread.
  std::size_t size() const { return size_.load(std::memory_order_relaxed) + kept_.size(); }

 private:
  using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                           asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;
  void schedule();
  void close_expired();

  asio::io_context& loop_;
  OnBug on_bug_;
  Timer timer_;
  KeptConnections kept_;
  std::unordered_set<Session*> sessions_;
  std::atomic<std::size_t> size_{0};
  bool draining_ = false;
};

}  // namespace larder
