// What TLS connections of one protocol share: certificates, keys and rules, loaded
// and checked once and never changed. A reload makes another one; connections keep
// the one they began with. Any thread.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.hpp"

namespace larder {

// How handshakes went, since the start. Outlives every context.
struct TlsFigures {
  std::atomic<std::uint64_t> handshakes{0};  // of clients that got in
  std::atomic<std::uint64_t> failures{0};    // the others: scanners, old clients, unknown certificates
};

struct TlsOptions {
  enum class Protocol : std::uint8_t { http, ftp };
  enum class ClientCertificates : std::uint8_t { none, optional, required };
  enum class MinVersion : std::uint8_t { tls_1_2, tls_1_3 };
  enum class Kernel : std::uint8_t { no, yes };  // encrypts what is sent, where it can
  struct Files {
    std::string certificate;  // PEM: the server's own first, then those that lead to an authority
    std::string key;          // PEM, not encrypted; may be the same file
  };

  Protocol protocol = Protocol::http;
  std::vector<Files> certificates;  // one for each kind of key
  MinVersion min_version = MinVersion::tls_1_2;
  std::string client_ca;  // PEM: who may vouch for clients
  ClientCertificates client_certificates = ClientCertificates::none;
  Kernel kernel = Kernel::no;
};

// Something about a file, and which setting named it.
struct TlsFinding {
  enum class About : std::uint8_t { certificate, key, client_ca };
  About about = About::certificate;
  std::size_t index = 0;  // of the pair
  std::string message;    // begins with the file
};

class TlsContext {
 public:
  using Handle = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
  TlsContext(Handle handle, UnixSeconds expires, std::shared_ptr<TlsFigures> figures)
      : handle_(std::move(handle)), expires_(expires), figures_(std::move(figures)) {}

  SSL_CTX* handle() const { return handle_.get(); }
  UnixSeconds expires() const { return expires_; }  // the first of its certificates to do so
  TlsFigures& figures() const { return *figures_; }

 private:
  Handle handle_;
  UnixSeconds expires_;
  std::shared_ptr<TlsFigures> figures_;
};

// Null when there are defects; all of them are told at once. Waits for the disk.
struct TlsLoad {
  std::shared_ptr<const TlsContext> context;
  std::vector<TlsFinding> defects;
  std::vector<TlsFinding> warnings;
};
TlsLoad load_tls(const TlsOptions& options, UnixSeconds now, std::shared_ptr<TlsFigures> figures);

}  // namespace larder
