#include "server/access/token.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <new>

#include "common/hasher.hpp"

namespace larder {
namespace {

constexpr std::size_t k_id_digits = 12;
constexpr std::size_t k_secret_digits = 64;

// `digits` is even.
std::string random_hex(std::size_t digits) {
  std::array<unsigned char, k_secret_digits / 2> bytes{};
  const std::size_t count = digits / 2;
  if (RAND_bytes(bytes.data(), static_cast<int>(count)) != 1) throw std::bad_alloc();  // no entropy: no token
  constexpr std::string_view k_digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += k_digits[bytes[i] >> 4];
    text += k_digits[bytes[i] & 15];
  }
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return text;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

NewToken make_token() {
  NewToken token;
  token.id = random_hex(k_id_digits);
  token.text = std::string(k_token_prefix) + token.id + "_" + random_hex(k_secret_digits);
  token.hash = Hasher::of(token.text);
  return token;
}

std::optional<std::string_view> token_id(std::string_view text) {
  constexpr std::size_t k_length = k_token_prefix.size() + k_id_digits + 1 + k_secret_digits;
  if (text.size() != k_length || !text.starts_with(k_token_prefix)) return std::nullopt;
  const std::string_view id = text.substr(k_token_prefix.size(), k_id_digits);
  const std::string_view rest = text.substr(k_token_prefix.size() + k_id_digits);
  if (!is_hex(id) || rest.front() != '_' || !is_hex(rest.substr(1))) return std::nullopt;
  return id;
}

bool is_token_of(const TokenRecord& record, std::string_view text) {
  const Digest offered = Hasher::of(text);
  return CRYPTO_memcmp(offered.bytes().data(), record.hash.bytes().data(), Digest::k_bytes) == 0;
}

}  // namespace larder
