#include "server/runtime/tls_files.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>

#include "common/utf8.hpp"

namespace larder {
namespace {

constexpr std::size_t k_longest_name = 64;  // bytes; X.520's bound for a common name

using Input = std::unique_ptr<BIO, decltype(&BIO_free)>;

Result<Input> open_input(const std::string& file) {
  errno = 0;
  Input input(BIO_new_file(file.c_str(), "r"), &BIO_free);
  if (input) return input;
  const int failure = errno;
  ERR_clear_error();
  return posix_error("read", file, failure == 0 ? ENOENT : failure);
}

// Nobody is there to type a passphrase: larderd starts by itself.
int refuse_passphrase(char* /* into */, int /* room */, int /* writing */, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

// OpenSSL tells a file without a key and one with a broken key alike.
bool holds_key(const std::string& file) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("PRIVATE KEY-----") != std::string::npos) return true;
  }
  return false;
}

UnixSeconds seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return ::timegm(&parts);
}

std::string text_of(const ASN1_STRING* value) {
  unsigned char* bytes = nullptr;
  const int length = ASN1_STRING_to_UTF8(&bytes, value);
  if (length < 0) return {};
  const std::string text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
  OPENSSL_free(bytes);
  return text;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > k_longest_name) return false;
  if (text.front() == ' ' || text.back() == ' ') return false;
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t length = utf8_sequence(text);
    const bool late_control = length == 2 && byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    if (length == 0 || byte < 0x20 || byte == 0x7F || late_control) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string common_name(const X509& certificate) {
  const X509_NAME* const subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::string alternative_name(const X509& certificate) {
  using Names = std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)>;
  const Names names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (const int wanted : {GEN_EMAIL, GEN_DNS}) {
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
      int kind = 0;
      const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &kind);
      if (kind == wanted) return text_of(static_cast<const ASN1_STRING*>(value));
    }
  }
  return {};
}

}  // namespace

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

Result<std::vector<CertificatePointer>> read_certificates(const std::string& file) {
  LARDER_TRY_ASSIGN(const Input input, open_input(file));
  std::vector<CertificatePointer> certificates;
  while (X509* const next = PEM_read_bio_X509(input.get(), nullptr, nullptr, nullptr))
    certificates.emplace_back(next, &X509_free);
  const bool just_the_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = openssl_reason();
  if (!just_the_end) return Error(Errc::invalid_argument, file + " is damaged: " + reason);
  if (certificates.empty())
    return Error(Errc::invalid_argument,
                 file + " holds no certificate; it needs PEM, beginning with -----BEGIN CERTIFICATE-----");
  return certificates;
}

Result<KeyPointer> read_key(const std::string& file) {
  LARDER_TRY_ASSIGN(const Input input, open_input(file));
  bool is_encrypted = false;
  KeyPointer key(PEM_read_bio_PrivateKey(input.get(), nullptr, &refuse_passphrase, &is_encrypted),
                 &EVP_PKEY_free);
  if (key) return key;
  const std::string reason = openssl_reason();
  if (is_encrypted)
    return Error(Errc::invalid_argument, file +
                                             " is encrypted, and larderd asks nobody for a passphrase; take "
                                             "it off: openssl pkey -in " +
                                             file + " -out KEY");
  if (!holds_key(file))
    return Error(Errc::invalid_argument,
                 file + " holds no private key; it needs PEM, beginning with -----BEGIN PRIVATE KEY-----");
  return Error(Errc::invalid_argument, file + " is damaged: " + reason);
}

UnixSeconds begins(const X509& certificate) {
  return seconds_of(X509_get0_notBefore(&certificate));
}

UnixSeconds ends(const X509& certificate) {
  return seconds_of(X509_get0_notAfter(&certificate));
}

bool is_open_to_all(const std::string& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

std::string name_in(const X509& certificate) {
  for (const std::string& name : {common_name(certificate), alternative_name(certificate)}) {
    if (is_name(name)) return name;
  }
  return {};
}

}  // namespace larder
