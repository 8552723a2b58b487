#include "server/runtime/tls_engine.hpp"

#include <openssl/err.h>

#include <cerrno>
#include <new>

#include "server/runtime/tls_files.hpp"

namespace larder {

TlsEngine::TlsEngine(std::shared_ptr<const TlsContext> context, int socket, std::string_view scope)
    : context_(std::move(context)), ssl_(SSL_new(context_->handle())) {
  if (ssl_ == nullptr) throw std::bad_alloc();
  const auto* const bytes = reinterpret_cast<const unsigned char*>(scope.data());
  const bool ready = SSL_set_session_id_context(ssl_, bytes, static_cast<unsigned>(scope.size())) == 1 &&
                     SSL_set_fd(ssl_, socket) == 1;
  if (!ready) {
    SSL_free(ssl_);
    throw std::bad_alloc();
  }
}

TlsEngine::~TlsEngine() {
  SSL_free(ssl_);  // the socket is Connection's
}

void TlsEngine::issue_no_tickets() {
  SSL_set_num_tickets(ssl_, 0);
}

TlsEngine::Step TlsEngine::accept() {
  if (detached_) return {Progress::cut};
  ERR_clear_error();
  const Step step = outcome(SSL_accept(ssl_), 0);
  established_ = step.progress == Progress::done;
  TlsFigures& figures = context_->figures();
  if (step.progress == Progress::done) figures.handshakes.fetch_add(1, std::memory_order_relaxed);
  if (step.progress >= Progress::ended) figures.failures.fetch_add(1, std::memory_order_relaxed);
  return step;
}

TlsEngine::Step TlsEngine::read(std::span<char> into) {
  if (detached_) return {Progress::cut};
  ERR_clear_error();
  std::size_t count = 0;
  const int returned = SSL_read_ex(ssl_, into.data(), into.size(), &count);
  return outcome(returned, count);
}

TlsEngine::Step TlsEngine::write(std::string_view bytes) {
  if (detached_ || !established_) return {Progress::cut};
  ERR_clear_error();
  std::size_t count = 0;
  const int returned = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count);
  return outcome(returned, count);
}

TlsEngine::Step TlsEngine::send_file(int file, std::uint64_t offset, std::size_t length) {
  if (detached_) return {Progress::cut};
  ERR_clear_error();
  const ossl_ssize_t sent = SSL_sendfile(ssl_, file, static_cast<off_t>(offset), length, 0);
  if (sent > 0) return {Progress::done, static_cast<std::size_t>(sent)};
  return outcome(static_cast<int>(sent), 0);
}

bool TlsEngine::sends_in_kernel() const {
  return BIO_get_ktls_send(SSL_get_wbio(ssl_)) != 0;
}

TlsEngine::Step TlsEngine::say_end() {
  if (detached_ || failed_ || !established_) return {Progress::cut};
  ERR_clear_error();
  const int returned = SSL_shutdown(ssl_);
  if (returned >= 0) return {Progress::done};  // 0: the peer has not said so yet, and need not
  return outcome(returned, 0);
}

bool TlsEngine::has_buffered() const {
  return SSL_has_pending(ssl_) == 1;
}

bool TlsEngine::resumed() const {
  return SSL_session_reused(ssl_) == 1;
}

std::string TlsEngine::user() const {
  const CertificatePointer certificate(SSL_get1_peer_certificate(ssl_), &X509_free);
  return certificate ? name_in(*certificate) : std::string();
}

TlsEngine::Step TlsEngine::outcome(int returned, std::size_t count) {
  if (returned > 0) return {Progress::done, count};
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ: return {Progress::wants_read};
    case SSL_ERROR_WANT_WRITE: return {Progress::wants_write};
    case SSL_ERROR_ZERO_RETURN: return {Progress::ended};
    case SSL_ERROR_SYSCALL: failed_ = true; return {Progress::cut};
    default: break;
  }
  failed_ = true;
  const bool end_of_stream = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  ERR_clear_error();
  return {end_of_stream ? Progress::cut : Progress::broken};
}

}  // namespace larder
