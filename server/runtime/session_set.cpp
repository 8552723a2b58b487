#include "server/runtime/session_set.hpp"

#include <boost/asio/co_spawn.hpp>

namespace larder {

SessionSet::SessionSet(asio::io_context& loop, OnBug on_bug)
    : loop_(loop), on_bug_(std::move(on_bug)), timer_(loop.get_executor()), kept_(loop, on_bug_) {}

void SessionSet::start() {
  schedule();
}

void SessionSet::spawn(Task<void> session) {
  asio::co_spawn(loop_.get_executor(), std::move(session), [this](std::exception_ptr failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& bug) {
      on_bug_(bug.what());
    }
  });
}

void SessionSet::keep(std::unique_ptr<KeptConnection> connection) {
  if (draining_) return;
  kept_.add(std::move(connection));
}

void SessionSet::schedule() {
  timer_.expires_after(std::chrono::seconds(1));
  timer_.async_wait([this](ErrorCode error) {
    if (error) return;
    close_expired();
    schedule();
  });
}

void SessionSet::close_expired() {
  const SteadyTime now = std::chrono::steady_clock::now();
  for (Session* session : sessions_) {
    if (session->deadline() <= now)
      session->expire();
    else
      session->look(now);
  }
  kept_.close_expired(now);
}

void SessionSet::drain() {
  draining_ = true;
  for (Session* session : sessions_) {
    if (session->idle()) session->close();
  }
  kept_.close_all();
}

void SessionSet::close_all() {
  draining_ = true;
  for (Session* session : sessions_) session->close();
  kept_.close_all();
}

SessionSet::Guard::Guard(SessionSet& set, Session& session) : set_(set), session_(session) {
  set_.sessions_.insert(&session_);
  set_.size_.store(set_.sessions_.size(), std::memory_order_relaxed);
}

SessionSet::Guard::~Guard() {
  set_.sessions_.erase(&session_);
  set_.size_.store(set_.sessions_.size(), std::memory_order_relaxed);
}

}  // namespace larder
