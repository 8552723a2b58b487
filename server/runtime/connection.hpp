// A TCP connection of a loop, with TLS over it or without: bytes in, bytes and files
// out, and a deadline that the loop's SessionSet enforces. No operation has a timer of
// its own. Not thread-safe: everything happens on the connection's loop.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/descriptor.hpp"
#include "server/runtime/coroutine.hpp"
#include "server/runtime/disk_pool.hpp"
#include "server/runtime/page_cache.hpp"
#include "server/runtime/tls_engine.hpp"

namespace larder {

// How long a transfer may take: it fails after `timeout` without progress, and
// when its average falls below `min_rate` (bytes a second, after one `timeout`
// of grace). A peer cannot stretch it by a byte now and then.
class Pace {
 public:
  Pace(std::chrono::milliseconds timeout, std::uint64_t min_rate, SteadyTime start)
      : timeout_(timeout), min_rate_(min_rate), start_(start) {}

  SteadyTime deadline(std::uint64_t transferred, SteadyTime now) const;

 private:
  std::chrono::milliseconds timeout_;
  std::uint64_t min_rate_;
  SteadyTime start_;
};

// What is to be sent of a file.
struct FilePart {
  int file = -1;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  // Where it stands until when all of the file is taken to be in the page cache; null: nowhere, or
  // this is not all of it.
  std::atomic<SteadyTime>* warm_until = nullptr;
};

// An IPv4 peer of a dual-stack socket is an IPv4 peer.
asio::ip::address plain_address(const asio::ip::address& address);

class Connection {
 public:
  explicit Connection(Socket socket);
  // One that was accepted, is non-blocking, and is not known to the loop of `executor` yet.
  Connection(LoopExecutor executor, Descriptor accepted, const asio::ip::address& peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // A connection that waits for nothing need not be known to its loop, which costs memory and time.
  // From leave_loop() until join_loop() only what happens at once is possible.
  void leave_loop();
  ErrorCode join_loop();                  // an error: it is closed
  int descriptor() const { return fd_; }  // -1: closed

  // TLS from here on, as its server; before anything was read. The deadline holds.
  // Tickets, by which a client resumes its session over another connection, are for those who do.
  enum class Secured : std::uint8_t { yes, plain_text, failed };  // plain_text: it began with something else
  enum class Tickets : std::uint8_t { yes, no };
  Task<Secured> secure(std::shared_ptr<const TlsContext> context, std::string scope, Tickets tickets);
  bool is_secure() const { return tls_ != nullptr; }
  bool resumed() const { return tls_ && tls_->resumed(); }  // a session of the same scope
  // Who the client is by its certificate; empty: it showed none.
  const std::string& tls_user() const { return tls_user_; }

  struct ReadOutcome {
    ErrorCode error;        // eof: the peer ended; under TLS only when it said so
    std::size_t count = 0;  // bytes; 0 with no error never happens
  };
  Task<ReadOutcome> read_some(std::span<char> buffer);
  Task<ErrorCode> write(std::string_view bytes);
  // `sent` tells how many bytes went out, also when it fails. Data that is not in the page
  // cache is fetched by the pool.
  Task<ErrorCode> send_file(DiskPool& pool, FilePart part, const Pace& pace, std::uint64_t& sent);

  // The same at once, as far as that goes without waiting. What try_write() did not take
  // has to be the beginning of the next write().
  ReadOutcome try_read(std::span<char> buffer);  // try_again: there is nothing yet
  std::size_t try_write(std::string_view bytes);
  std::size_t try_write(std::string_view first, std::string_view second);  // one behind the other
  void stop_waiting();      // a read or a wait under way fails with operation_aborted
  bool has_unread() const;  // something has come that nobody has read
  bool has_buffered() const { return tls_ && tls_->has_buffered(); }  // of it, outside the kernel

  // Holds small segments back while a header and a file go out together.
  void cork(bool on);
  // No more to send; what was sent is delivered and then the end.
  Task<void> finish_sending();
  // No more to send; what the peer still sends is read and thrown away for a moment, so
  // that it gets to see the answer instead of a reset.
  Task<void> linger(std::chrono::milliseconds at_most);
  // At once; pending operations fail. Under TLS the peer sees that it was cut off,
  // unless finish_sending() came before.
  void close();
  bool say_end();  // finish_sending() as far as that goes at once; false: it would have to wait

  void set_deadline(SteadyTime deadline) { deadline_ = deadline; }
  SteadyTime deadline() const { return deadline_; }
  void expire();  // the deadline has passed
  bool expired() const { return expired_; }

  const asio::ip::address& peer() const { return peer_; }
  asio::ip::address local() const;  // where the peer reached us; unspecified when that is over
  const std::string& peer_text() const { return peer_text_; }  // "192.0.2.1", "2001:db8::1"
  Socket& socket() { return socket_; }

 private:
  // A part of a file is in the page cache when it returns; false: it cannot be read.
  Task<bool> warm_window(DiskPool& pool, WarmthProbe& probe, FilePart window);

  // The same under TLS (connection_tls.cpp).
  Task<ReadOutcome> read_secure(std::span<char> buffer);
  Task<ErrorCode> write_secure(std::string_view bytes);
  Task<ErrorCode> send_file_secure(DiskPool& pool, FilePart part, const Pace& pace, std::uint64_t& sent);
  Task<ErrorCode> send_file_in_kernel(DiskPool& pool, FilePart part, const Pace& pace, std::uint64_t& sent);
  std::size_t try_write_secure(std::string_view bytes);
  std::size_t try_write_secure(std::string_view first, std::string_view second);
  void acknowledge_now();
  Task<ErrorCode> wait_for(TlsEngine::Progress progress);
  bool turn_is_over(std::size_t bytes);

  Socket socket_;
  int fd_ = -1;  // of socket_, or, while the loop does not know it, owned
  bool in_loop_ = true;
  bool is_v6_ = false;
  SteadyTime deadline_ = SteadyTime::max();
  bool expired_ = false;
  asio::ip::address peer_;
  std::string peer_text_;

  std::unique_ptr<TlsEngine> tls_;
  std::string tls_user_;
  bool corked_ = false;
  bool wrote_ = false;    // since the last read
  std::string held_;      // written while corked, to share a record with the file
  std::size_t turn_ = 0;  // bytes since others of the loop had theirs
};

}  // namespace larder
