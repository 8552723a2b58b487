#include "server/access/htpasswd.hpp"

#include <crypt.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <memory>

#include "common/rights.hpp"

namespace larder {
namespace {

// Empty: it is one to keep.
std::string_view weakness(std::string_view hash) {
  constexpr std::size_t k_bcrypt = 60;  // "$2y$", two digits, "$", 22 and 31 characters
  const bool bcrypt = hash.starts_with("$2y$") || hash.starts_with("$2b$") || hash.starts_with("$2a$");
  if (bcrypt) return hash.size() == k_bcrypt ? "" : "is a bcrypt hash of the wrong length";
  if (hash.starts_with("$6$")) return hash.rfind('$') > 3 ? "" : "is a SHA-512 hash without a salt";
  if (hash.starts_with("$apr1$") || hash.starts_with("$1$"))
    return "is MD5, which is too weak: make it with htpasswd -B";
  if (hash.starts_with("{SHA}"))
    return "is SHA-1 without a salt, which is too weak: make it with htpasswd -B";
  if (hash.starts_with("$5$"))
    return "is SHA-256-crypt, which is not taken: make it with htpasswd -B, or mkpasswd -m sha-512";
  return "is DES or plain text, which is too weak: make it with htpasswd -B";
}

}  // namespace

Result<Passwords> parse_htpasswd(std::string_view text) {
  Passwords passwords;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const auto invalid = [&](std::string_view what) {
      return Error(Errc::invalid_argument, "line " + std::to_string(number) + " " + std::string(what));
    };
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return invalid("is not NAME:HASH");
    const std::string_view name = line.substr(0, colon);
    std::string_view hash = line.substr(colon + 1);
    hash = hash.substr(0, hash.find(':'));  // further fields are comments
    if (!is_actor_name(name) || name == k_other_users) return invalid("has a name that no user can have");
    const std::string_view why = weakness(hash);
    if (!why.empty()) return invalid("(" + std::string(name) + ") " + std::string(why));
    if (!passwords.emplace(name, hash).second)
      return invalid("names " + std::string(name) + " a second time");
  }
  return passwords;
}

bool is_password_of(const std::string& hash, const std::string& password) {
  const auto work = std::make_unique<crypt_data>();  // 32 KiB
  const char* const made = ::crypt_r(password.c_str(), hash.c_str(), work.get());
  if (made == nullptr || made[0] == '*') return false;
  const std::string_view text(made);
  const bool same = text.size() == hash.size() && CRYPTO_memcmp(text.data(), hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(work.get(), sizeof *work);
  return same;
}

}  // namespace larder
