#include "tests/support/test_authority.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <stdexcept>

namespace larder {
namespace {

std::shared_ptr<EVP_PKEY> make_key(TestAuthority::Key kind) {
  EVP_PKEY* const key = kind == TestAuthority::Key::ecdsa ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
  if (key == nullptr) throw std::runtime_error("cannot make a key");
  return {key, &EVP_PKEY_free};
}

void add_extension(X509* certificate, int kind, const char* value) {
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

std::shared_ptr<X509> make_certificate(const TestAuthority::Wish& wish, EVP_PKEY* key) {
  static long serial = 0;
  const std::shared_ptr<X509> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), wish.begins);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), wish.ends);
  X509_set_pubkey(certificate.get(), key);
  const auto* const name = reinterpret_cast<const unsigned char*>(wish.name.c_str());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8, name, -1, -1, 0);
  return certificate;
}

template <typename Write>
void write_pem(const std::string& file, const Write& write) {
  std::FILE* const out = std::fopen(file.c_str(), "w");
  if (out == nullptr || write(out) != 1 || std::fclose(out) != 0)
    throw std::runtime_error("cannot write " + file);
}

void write_key(const std::string& file, EVP_PKEY* key) {
  write_pem(file, [&](std::FILE* out) {
    return PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  ::chmod(file.c_str(), 0600);
}

}  // namespace

TestAuthority::TestAuthority(std::filesystem::path directory)
    : directory_(std::move(directory)), key_(make_key(Key::ecdsa)) {
  Wish wish;
  wish.name = "authority of a test";
  own_ = make_certificate(wish, key_.get());
  X509_set_issuer_name(own_.get(), X509_get_subject_name(own_.get()));
  add_extension(own_.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(own_.get(), key_.get(), EVP_sha256());
  write_pem(certificate(), [&](std::FILE* out) { return PEM_write_X509(out, own_.get()); });
}

TestAuthority::Files TestAuthority::issue(const std::string& stem, const Wish& wish) const {
  const Files files = {(directory_ / (stem + ".pem")).string(), (directory_ / (stem + ".key")).string()};
  const auto key = make_key(wish.key);
  const auto certificate = make_certificate(wish, key.get());
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(own_.get()));
  add_extension(certificate.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  X509_sign(certificate.get(), key_.get(), EVP_sha256());
  write_pem(files.certificate, [&](std::FILE* out) { return PEM_write_X509(out, certificate.get()); });
  write_key(files.key, key.get());
  return files;
}

void write_encrypted_key(const std::string& plain_key, const std::string& file) {
  std::FILE* const in = std::fopen(plain_key.c_str(), "r");
  const std::shared_ptr<EVP_PKEY> key(PEM_read_PrivateKey(in, nullptr, nullptr, nullptr), &EVP_PKEY_free);
  std::fclose(in);
  std::string passphrase = "secret";
  write_pem(file, [&](std::FILE* out) {
    return PEM_write_PKCS8PrivateKey(out, key.get(), EVP_aes_256_cbc(), passphrase.data(),
                                     static_cast<int>(passphrase.size()), nullptr, nullptr);
  });
}

}  // namespace larder
