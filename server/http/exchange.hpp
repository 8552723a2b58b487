// One request and the means to answer it: what handlers work with. Answers are
// gathered and written together when no further request has arrived, so that
// pipelined requests are answered in one write.
#pragma once

#include <boost/container/vector.hpp>
#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "server/access/visitor.hpp"
#include "server/access_log.hpp"
#include "server/http/metrics.hpp"
#include "server/http/reply.hpp"
#include "server/http/request_parser.hpp"
#include "server/live_config.hpp"
#include "server/repository.hpp"
#include "server/runtime/connection.hpp"

namespace larder::http {

// What all sessions of a server share. Lives longer than any of them.
struct Context {
  Repository& repository;
  const LiveConfig& config;
  AccessLog& access_log;
  Latency& latency;
  std::function<void(api::Stat&)> complete_stat;  // adds what only the daemon knows
  std::function<bool()> ready;                    // false: shutting down
  Authorizer& access;
  const Clock& clock;
};

// Bytes that have arrived and nobody has looked at.
class InputBuffer {
 public:
  std::string_view unread() const { return {bytes_.data() + begin_, end_ - begin_}; }
  void consume(std::size_t count);
  std::span<char> room();            // where the next bytes go; the buffer has to be empty
  void put(std::string_view bytes);  // into the empty buffer
  void filled(std::size_t count) { end_ += count; }
  void grow_for_body();  // large reads while a body comes in chunks
  void shrink();         // back to the usual size

 private:
  static constexpr std::size_t k_usual = 4 << 10;  // a request is some 400 bytes
  static constexpr std::size_t k_body = 64 << 10;

  std::vector<char> bytes_;  // empty: none were wanted yet
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// Bytes of a body; resize() can leave new ones as they are, to be read into.
using BodyBytes = boost::container::vector<std::byte>;

// Whoever shows no credentials, as far as the address and TLS tell.
Visitor stranger(const Context& context, const Connection& connection);

HeaderLimits header_limits(const Context& context);

struct MemoryAnswer;

class Exchange {
 public:
  Exchange(Context& context, Connection& connection, Visitor visitor);

  Context& context() { return context_; }
  Connection& connection() { return connection_; }
  const Context& context() const { return context_; }
  const Request& request() const { return parser_.request(); }
  bool from_loopback() const { return connection_.peer().is_loopback(); }
  std::string actor() const { return visitor_.actor(connection_.peer_text()); }  // for the ledger
  // Who the client is by its TLS certificate; empty: it showed none.
  const std::string& tls_user() const { return connection_.tls_user(); }

  // Who asks; of the request before, until they are identified.
  Visitor& visitor() { return visitor_; }
  const Visitor& visitor() const { return visitor_; }
  bool knows_visitor() {
    identified_ = visitor_.is_known(request().authorization, context_.access, context_.clock);
    return identified_;
  }
  void set_identified() { identified_ = true; }  // visitor() is who asks now

  // The body ----------------------------------------------------------------

  // Appends up to about `at_most` further bytes; 0 when the body is over. Asks
  // for the body first when the client waits for that.
  Task<Result<std::size_t>> read_body(BodyBytes& into, std::size_t at_most);

  // Answers -------------------------------------------------------------------

  // A complete answer. What is left of a small body is read and thrown away; for a large
  // one, or one the client holds back, the connection ends after the answer.
  Task<void> answer(Reply reply, std::string_view body);
  Task<void> answer_problem(api::Problem problem, std::string_view extra = {});
  Task<void> answer_error(const Error& error);
  // The same for requests without a body; nothing is awaited.
  void answer_now(Reply reply, std::string_view body);

  void answer_missing();  // the same for what is not there

  // `artifact` from `offset` on, reply.content_length bytes of it.
  Task<void> answer_file(Reply reply, const OpenArtifact& artifact, std::uint64_t offset);

  // An answer of unknown length: chunks (HTTP/1.0: until the connection ends).
  Task<void> begin_stream(Reply reply);
  Task<bool> stream(std::string_view bytes);  // false: the client is gone
  Task<void> end_stream();
  void abort() { broken_ = true; }  // the stream cannot be finished: the client sees it cut off

  // For the log ---------------------------------------------------------------

  void set_outcome(std::string_view outcome) { outcome_ = outcome; }  // a literal
  void set_artifact(KeyView key);

 private:
  friend class HttpSession;

  bool flush_now();  // as far as the socket takes it; true: all of it
  Task<bool> flush();
  Task<void> write_paced(std::string_view bytes, const Pace& pace, std::uint64_t& sent);
  Task<bool> fill();
  Task<bool> read_into(BodyBytes& into, std::size_t at_most);
  Task<void> settle_body();
  void put_head(const Reply& reply);
  void answered(MemoryAnswer answer);  // its head stands in output_
  std::string_view body_to_send() const { return body_ ? std::string_view(*body_) : std::string_view(); }
  bool has_output() const { return !output_.empty() || body_; }
  void forget_output();
  void begin(SteadyTime now);  // a header has been read
  SteadyTime finish();         // log and count; when that was

  Context& context_;
  Connection& connection_;
  RequestParser parser_;
  Visitor visitor_;
  InputBuffer input_;
  std::string output_;
  std::size_t written_ = 0;                  // of output_, and then of what follows it
  std::shared_ptr<const std::string> body_;  // goes out behind output_; null: nothing
  // Of the current request:
  SteadyTime started_;
  bool keep_alive_ = false;
  bool linger_ = false;  // the client still sends: end gently
  bool continued_ = false;
  bool streaming_chunks_ = false;
  bool artifact_ = false;
  bool identified_ = false;  // visitor_ is who asks, and not who asked before
  std::string name_space_;   // of the artifact, when there is a log
  int status_ = 0;
  std::uint64_t bytes_out_ = 0;  // of bodies
  std::string_view outcome_;
  bool broken_ = false;  // the connection is of no further use
  bool ended_ = false;   // because the client said that it has no more to ask
};

}  // namespace larder::http
