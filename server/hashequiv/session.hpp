// The driver of a connection that speaks hash equivalence: moves the bytes, knows who is behind it, and lets
// the disk pool carry on the conversation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/access/visitor.hpp"
#include "server/access_log.hpp"
#include "server/hashequiv/conversation.hpp"
#include "server/live_config.hpp"
#include "server/runtime/disk_pool.hpp"
#include "server/runtime/listener.hpp"
#include "server/runtime/session_set.hpp"

namespace larder::hashequiv {

// What all sessions share. Lives longer than any of them.
struct Context {
  Shared& shared;
  DiskPool& pool;
  const LiveConfig& config;
  AccessLog& access_log;
  const Clock& clock;
  std::function<bool()> ready;  // false: shutting down
  Authorizer& access;
  std::function<void(const std::string& message)> warn;
  std::function<void(const std::string& message)> tell;
};

class HashservSession final : public Session {
 public:
  HashservSession(Context& context, SessionSet& sessions, std::unique_ptr<Connection> connection);

  // Serves the connection until it ends.
  static Task<void> serve(Context& context, SessionSet& sessions, std::unique_ptr<Connection> connection,
                          Admission::Ticket ticket);

  Connection& connection() override { return *connection_; }
  bool idle() const override { return idle_; }

 private:
  Task<void> run();
  Task<bool> carry_on(Conversation::Turn& turn);  // sends, logs in; false: the connection is over
  Task<bool> send(std::string_view output);
  void notice_dead_peers();
  Task<void> log_in(Conversation::Turn& turn);  // and what comes of it
  Task<Authorizer::Recognition> recognise(const Credentials& credentials);
  Task<bool> still_known();      // the token was not revoked meanwhile, and the rules are those in force
  bool fits(std::size_t bytes);  // true: taken into account
  Task<void> pause(std::chrono::milliseconds time);
  Task<void> pause_until(SteadyTime end);
  Allowed allowed() const;
  Origin origin() const;
  void write_log() const;

  Context& context_;
  SessionSet& sessions_;
  const std::unique_ptr<Connection> connection_;
  Conversation conversation_;
  Visitor visitor_;
  Credentials credentials_;  // that the session logged in with
  bool idle_ = true;

  // For the log:
  const SteadyTime started_;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
};

}  // namespace larder::hashequiv
