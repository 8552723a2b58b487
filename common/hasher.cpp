#include "common/hasher.hpp"

#include <openssl/evp.h>

#include <new>

namespace larder {

void Hasher::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Hasher::Hasher() : context_(EVP_MD_CTX_new()) {
  if (!context_) throw std::bad_alloc();
  restart();
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

// EVP_sha256() looks the algorithm up again at every init in OpenSSL 3;
// fetched once, an init costs a tenth.
void Hasher::restart() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (algorithm == nullptr || EVP_DigestInit_ex2(context_.get(), algorithm, nullptr) != 1)
    throw std::bad_alloc();
}

void Hasher::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) throw std::bad_alloc();
}

Digest Hasher::finish() {
  Digest::Bytes bytes;
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(context_.get(), bytes.data(), &length) != 1 || length != bytes.size())
    throw std::bad_alloc();
  restart();
  return Digest(bytes);
}

Digest Hasher::of(std::string_view text) {
  Hasher hasher;
  hasher.update(text);
  return hasher.finish();
}

}  // namespace larder
