#include "common/digest.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace larder {
namespace {

int value_of_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<Digest> Digest::from_hex(std::string_view hex) {
  if (hex.size() != 2 * k_bytes) return std::nullopt;
  Bytes bytes;
  for (std::size_t i = 0; i < k_bytes; ++i) {
    const int high = value_of_hex(hex[2 * i]);
    const int low = value_of_hex(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return Digest(bytes);
}

std::optional<Digest> Digest::from_bytes(std::string_view raw) {
  if (raw.size() != k_bytes) return std::nullopt;
  Bytes bytes;
  std::copy(raw.begin(), raw.end(), bytes.begin());
  return Digest(bytes);
}

std::optional<Digest> Digest::from_base64(std::string_view text) {
  constexpr std::size_t k_encoded = 44;  // 32 bytes and one '=' of padding
  if (text.size() != k_encoded || text.back() != '=') return std::nullopt;
  std::array<unsigned char, 33> decoded;
  const int length = EVP_DecodeBlock(decoded.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length != 33) return std::nullopt;
  const auto digest = from_bytes({reinterpret_cast<const char*>(decoded.data()), k_bytes});
  // OpenSSL reads '=' anywhere, and digits whose spare bits are set, as if nothing were wrong.
  if (digest->base64() != text) return std::nullopt;
  return digest;
}

std::string Digest::hex() const {
  const Hex digits = hex_digits();
  return {digits.data(), digits.size()};
}

Digest::Hex Digest::hex_digits() const {
  constexpr char k_digits[] = "0123456789abcdef";
  Hex text;
  for (std::size_t i = 0; i < k_bytes; ++i) {
    text[2 * i] = k_digits[bytes_[i] >> 4];
    text[2 * i + 1] = k_digits[bytes_[i] & 15];
  }
  return text;
}

std::string Digest::base64() const {
  std::array<unsigned char, 45> encoded;
  const int length = EVP_EncodeBlock(encoded.data(), bytes_.data(), k_bytes);
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

}  // namespace larder
