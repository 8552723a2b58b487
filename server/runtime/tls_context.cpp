#include "server/runtime/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <map>
#include <span>
#include <string_view>

#include "server/runtime/tls_files.hpp"

namespace larder {
namespace {

// Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else.
constexpr const char* k_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* k_groups = "X25519:P-256:P-384";

// TLS 1.3 knows no longer one (RFC 8446, section 4.6.1).
constexpr std::chrono::seconds k_longest_session = std::chrono::hours(7 * 24);

// ALPN's form: each name behind its length (RFC 7301, section 3.1).
constexpr std::array<unsigned char, 18> k_http = {8, 'h', 't', 't', 'p', '/', '1', '.', '1',
                                                  8, 'h', 't', 't', 'p', '/', '1', '.', '0'};
constexpr std::array<unsigned char, 13> k_ftp = {3, 'f', 't', 'p',  // and what some clients say of data
                                                 8, 'f', 't', 'p', '-', 'd', 'a', 't', 'a'};

// Who names protocols and not ours is turned away: what was meant for a web server must not
// reach an FTP server, nor the other way round.
int choose_protocol(SSL* /* ssl */, const unsigned char** chosen, unsigned char* length,
                    const unsigned char* offered, unsigned int offered_length, void* own) {
  const bool http = own == k_http.data();
  const std::span<const unsigned char> ours =
      http ? std::span<const unsigned char>(k_http) : std::span<const unsigned char>(k_ftp);
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(&found, length, ours.data(), static_cast<unsigned>(ours.size()),
                                            offered, offered_length);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

class Loader {
 public:
  Loader(const TlsOptions& options, UnixSeconds now) : options_(options), now_(now) {}

  TlsLoad load(std::shared_ptr<TlsFigures> figures) {
    ERR_clear_error();
    set_rules();
    for (std::size_t i = 0; i < options_.certificates.size(); ++i) add_pair(i);
    if (options_.client_certificates != TlsOptions::ClientCertificates::none) ask_clients();
    if (load_.defects.empty())
      load_.context = std::make_shared<const TlsContext>(std::move(handle_), expires_, std::move(figures));
    return std::move(load_);
  }

 private:
  using About = TlsFinding::About;

  void set_rules() {
    SSL_CTX* const context = handle_.get();
    const bool modern = options_.min_version == TlsOptions::MinVersion::tls_1_3;
    SSL_CTX_set_min_proto_version(context, modern ? TLS1_3_VERSION : TLS1_2_VERSION);
    std::uint64_t rules = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION;
    if (options_.kernel == TlsOptions::Kernel::yes) rules |= SSL_OP_ENABLE_KTLS;
    SSL_CTX_set_options(context, rules);
    SSL_CTX_set_cipher_list(context, k_ciphers);
    SSL_CTX_set1_groups_list(context, k_groups);
    // Idle connections keep no buffers; a write that was taken in part goes on from elsewhere. What is in
    // the file is the chain: to look for a better one costs each handshake a verification.
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS |
                                  SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    const bool http = options_.protocol == TlsOptions::Protocol::http;
    // Sessions are resumed by tickets, where Connection::Tickets has them: nothing is kept here, no lock is
    // shared. Only FTP has clients that do without and whose data connections have to resume one: curl before
    // TLS 1.3.
    SSL_CTX_set_session_cache_mode(context, http ? SSL_SESS_CACHE_OFF : SSL_SESS_CACHE_SERVER);
    SSL_CTX_set_num_tickets(context, 1);
    // A data connection resumes the control connection's session, however long ago that began.
    if (!http) SSL_CTX_set_timeout(context, k_longest_session.count());
    void* const own = const_cast<unsigned char*>(http ? k_http.data() : k_ftp.data());
    SSL_CTX_set_alpn_select_cb(context, &choose_protocol, own);
  }

  void add_pair(std::size_t index) {
    const TlsOptions::Files& files = options_.certificates[index];
    auto chain = read_certificates(files.certificate);
    if (!chain) defect(About::certificate, index, chain.error().message());
    auto key = read_key(files.key);
    if (!key) defect(About::key, index, key.error().message());
    if (is_open_to_all(files.key))
      warning(About::key, index, files.key + " can be read by everybody on this machine; chmod 0600 it");
    if (!chain || !key) return;
    if (!belong_together(files, index, *chain, **key)) return;
    check_kind(files, index, **key);
    check_times(files, index, *chain);
    use(files, index, *chain, **key);
  }

  bool belong_together(const TlsOptions::Files& files, std::size_t index,
                       const std::vector<CertificatePointer>& chain, const EVP_PKEY& key) {
    if (X509_check_private_key(chain.front().get(), &key) == 1) return true;
    const bool further_down = std::any_of(chain.begin() + 1, chain.end(), [&](const auto& each) {
      return X509_check_private_key(each.get(), &key) == 1;
    });
    ERR_clear_error();
    if (further_down)
      defect(About::certificate, index,
             files.certificate +
                 " does not begin with the server's own certificate; put it first, then those "
                 "that lead to the authority");
    else
      defect(About::key, index,
             files.key + " is not the key of the certificate in " + files.certificate +
                 "; one of the two is of another pair");
    return false;
  }

  void check_kind(const TlsOptions::Files& files, std::size_t index, const EVP_PKEY& key) {
    const auto [first, fresh] = kinds_.emplace(EVP_PKEY_get_base_id(&key), files.certificate);
    if (!fresh)
      defect(About::certificate, index,
             files.certificate + " is for the same kind of key as " + first->second +
                 "; there is room for one of each (ECDSA, RSA, Ed25519)");
  }

  void check_times(const TlsOptions::Files& files, std::size_t index,
                   const std::vector<CertificatePointer>& chain) {
    for (const CertificatePointer& each : chain) expires_ = std::min(expires_, ends(*each));
    const X509& own = *chain.front();
    if (ends(own) <= now_)
      warning(About::certificate, index,
              files.certificate + " has expired: clients will refuse it; renew it");
    if (begins(own) > now_)
      warning(About::certificate, index,
              files.certificate + " is not valid yet, or the clock of this machine is wrong");
  }

  void use(const TlsOptions::Files& files, std::size_t index, const std::vector<CertificatePointer>& chain,
           EVP_PKEY& key) {
    SSL_CTX* const context = handle_.get();
    bool taken = SSL_CTX_use_certificate(context, chain.front().get()) == 1;
    taken = taken && SSL_CTX_use_PrivateKey(context, &key) == 1;
    for (std::size_t i = 1; taken && i < chain.size(); ++i)
      taken = SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
    if (!taken) defect(About::certificate, index, files.certificate + " cannot be used: " + openssl_reason());
  }

  void ask_clients() {
    if (options_.client_ca.empty()) return defect(About::client_ca, 0, "needs the authority's certificates");
    const auto authorities = read_certificates(options_.client_ca);
    if (!authorities) return defect(About::client_ca, 0, authorities.error().message());
    X509_STORE* const store = SSL_CTX_get_cert_store(handle_.get());
    for (const CertificatePointer& each : *authorities) {
      if (X509_STORE_add_cert(store, each.get()) != 1 ||
          SSL_CTX_add_client_CA(handle_.get(), each.get()) != 1)
        return defect(About::client_ca, 0, options_.client_ca + " cannot be used: " + openssl_reason());
    }
    const bool required = options_.client_certificates == TlsOptions::ClientCertificates::required;
    SSL_CTX_set_verify(handle_.get(),
                       SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE),
                       nullptr);
  }

  void defect(About about, std::size_t index, std::string message) {
    load_.defects.push_back({about, index, std::move(message)});
  }
  void warning(About about, std::size_t index, std::string message) {
    load_.warnings.push_back({about, index, std::move(message)});
  }

  const TlsOptions& options_;
  const UnixSeconds now_;
  TlsContext::Handle handle_{SSL_CTX_new(TLS_server_method()), &SSL_CTX_free};
  UnixSeconds expires_ = std::numeric_limits<UnixSeconds>::max();
  std::map<int, std::string> kinds_;  // of key → file
  TlsLoad load_;
};

}  // namespace

TlsLoad load_tls(const TlsOptions& options, UnixSeconds now, std::shared_ptr<TlsFigures> figures) {
  return Loader(options, now).load(std::move(figures));
}

}  // namespace larder
