// The server's end of TLS on a non-blocking socket: one step at a time, each of which
// says what it waits for. No loop, no clock; whoever waits is Connection.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "server/runtime/tls_context.hpp"

namespace larder {

class TlsEngine {
 public:
  enum class Progress : std::uint8_t {
    done,
    wants_read,   // try again when the socket can be read; a write may want that, too,
    wants_write,  // and a read this
    ended,        // the peer said that it has no more to send
    cut,          // the connection ended without that: what has come may not be all
    broken,       // no TLS, or no TLS that we take
  };
  struct Step {
    Progress progress = Progress::done;
    std::size_t count = 0;  // bytes, when done
  };

  // A session that began under one `scope` (at most 32 bytes) is resumed under the same only.
  TlsEngine(std::shared_ptr<const TlsContext> context, int socket, std::string_view scope);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  // For connections whose client only sends: what it does not read would reset the
  // connection when it closes. Before accept().
  void issue_no_tickets();

  Step accept();
  Step read(std::span<char> into);
  // May take a part. What was refused has to be offered again, before anything else.
  Step write(std::string_view bytes);
  // Whole records of a file by the kernel; only when sends_in_kernel().
  Step send_file(int file, std::uint64_t offset, std::size_t length);
  bool sends_in_kernel() const;
  Step say_end();  // to the peer: there is no more to come

  // The socket is closed: its number may mean another one soon, and is not used any more.
  void detach() { detached_ = true; }

  bool has_buffered() const;  // bytes that were taken from the socket, perhaps not a whole record
  bool resumed() const;
  std::string user() const;  // of a client's certificate; empty: none, or no usable name

 private:
  Step outcome(int returned, std::size_t count);

  std::shared_ptr<const TlsContext> context_;
  SSL* ssl_;
  bool detached_ = false;
  bool established_ = false;  // keys may still change later; this is about the first time
  bool failed_ = false;       // nothing more can be said, not even the end
};

}  // namespace larder
