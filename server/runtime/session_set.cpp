#include "server/runtime/session_set.hpp"

namespace larder {

SessionSet::SessionSet(asio::io_context& loop) : timer_(loop.get_executor()) {}

void SessionSet::start() {
  schedule();
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
}

void SessionSet::drain() {
  draining_ = true;
  for (Session* session : sessions_) {
    if (session->idle()) session->close();
  }
}

void SessionSet::close_all() {
  draining_ = true;
  for (Session* session : sessions_) session->close();
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
