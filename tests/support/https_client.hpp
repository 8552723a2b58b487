// HttpClient over TLS: the same, byte for byte, inside.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/http_client.hpp"
#include "tests/support/test_authority.hpp"

namespace larder {

class HttpsClient final : public HttpClient {
 public:
  struct Options {
    const TestAuthority::Files* shows = nullptr;  // a certificate of its own
    std::string protocols = {"\x08http/1.1", 9};  // ALPN; empty: none
    SSL_SESSION* resumes = nullptr;
  };
  // Believes in `authority` alone. A handshake that fails throws.
  HttpsClient(std::uint16_t port, const TestAuthority& authority, const Options& options);
  HttpsClient(std::uint16_t port, const TestAuthority& authority) : HttpsClient(port, authority, Options()) {}

  void say_end() { SSL_shutdown(ssl_.get()); }  // close_notify; what the server sends is still read
  void send_together(const std::vector<std::string>& records);  // several records at once
  std::string certificate_name() const;                         // common name of the server
  SSL* ssl() { return ssl_.get(); }

 protected:
  long put(const char* bytes, std::size_t count) override;
  long take(char* into, std::size_t room) override;

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

}  // namespace larder
