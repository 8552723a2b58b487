// Certificates and keys out of PEM files, with reasons a person can act on.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"

namespace larder {

using CertificatePointer = std::unique_ptr<X509, decltype(&X509_free)>;
using KeyPointer = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// All certificates of a file, in its order; at least one.
Result<std::vector<CertificatePointer>> read_certificates(const std::string& file);
Result<KeyPointer> read_key(const std::string& file);

UnixSeconds begins(const X509& certificate);
UnixSeconds ends(const X509& certificate);

// Others than its owner and group may read the file.
bool is_open_to_all(const std::string& file);

// Who a client's certificate says it is: its common name, or else its first e-mail
// or DNS name. Empty when that is no name for a log: control characters, no UTF-8, too long.
std::string name_in(const X509& certificate);

// What OpenSSL has to say about the last failure of this thread; takes it off its list.
std::string openssl_reason();

}  // namespace larder
