#include "tests/support/https_client.hpp"

#include <openssl/err.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>

namespace larder {

HttpsClient::HttpsClient(std::uint16_t port, const TestAuthority& authority, const Options& options)
    : HttpClient(port), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free), ssl_(nullptr, &SSL_free) {
  std::signal(SIGPIPE, SIG_IGN);
  SSL_CTX_load_verify_file(context_.get(), authority.certificate().c_str());
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  if (options.shows != nullptr) {
    SSL_CTX_use_certificate_file(context_.get(), options.shows->certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context_.get(), options.shows->key.c_str(), SSL_FILETYPE_PEM);
  }
  ssl_.reset(SSL_new(context_.get()));
  const auto* const protocols = reinterpret_cast<const unsigned char*>(options.protocols.data());
  if (!options.protocols.empty())
    SSL_set_alpn_protos(ssl_.get(), protocols, static_cast<unsigned>(options.protocols.size()));
  if (options.resumes != nullptr) SSL_set_session(ssl_.get(), options.resumes);
  SSL_set_fd(ssl_.get(), socket());
  ERR_clear_error();
  if (SSL_connect(ssl_.get()) == 1) return;
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  throw std::runtime_error(reason == nullptr ? "the handshake failed" : reason);
}

void HttpsClient::send_together(const std::vector<std::string>& records) {
  BIO* const socket = SSL_get_wbio(ssl_.get());
  BIO_up_ref(socket);
  BIO* const memory = BIO_new(BIO_s_mem());
  SSL_set0_wbio(ssl_.get(), memory);
  for (const std::string& each : records) SSL_write(ssl_.get(), each.data(), static_cast<int>(each.size()));
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(memory, &bytes);
  const std::string all(bytes, static_cast<std::size_t>(count));
  SSL_set0_wbio(ssl_.get(), socket);
  put_plain(all);
}

std::string HttpsClient::certificate_name() const {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(ssl_.get()),
                                                                &X509_free);
  char name[200] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
  return name;
}

long HttpsClient::put(const char* bytes, std::size_t count) {
  return SSL_write(ssl_.get(), bytes, static_cast<int>(count));
}

long HttpsClient::take(char* into, std::size_t room) {
  errno = 0;
  const int count = SSL_read(ssl_.get(), into, static_cast<int>(room));
  if (count < 0 && errno == EAGAIN) throw std::runtime_error("the server did not answer in time");
  return count;
}

}  // namespace larder
