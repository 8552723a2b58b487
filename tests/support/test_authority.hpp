// A certificate authority of its own for tests: PEM files in a directory.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <string>

#include "common/clock.hpp"

namespace larder {

class TestAuthority {
 public:
  enum class Key { ecdsa, rsa };
  struct Wish {
    std::string name = "localhost";  // common name; the alternative names are localhost and 127.0.0.1
    Key key = Key::ecdsa;
    UnixSeconds begins = -3600;  // from now
    UnixSeconds ends = 90 * 24 * 3600;
  };
  struct Files {
    std::string certificate;
    std::string key;
  };

  explicit TestAuthority(std::filesystem::path directory);

  // Writes STEM.pem and STEM.key, over what is there; the key is 0600.
  Files issue(const std::string& stem, const Wish& wish) const;
  Files issue(const std::string& stem) const { return issue(stem, Wish()); }
  std::string certificate() const { return (directory_ / "ca.pem").string(); }  // of the authority

 private:
  std::filesystem::path directory_;
  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> own_;
};

// Writes a private key under a passphrase.
void write_encrypted_key(const std::string& plain_key, const std::string& file);

}  // namespace larder
