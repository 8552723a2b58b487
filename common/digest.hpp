// The SHA-256 of an object's bytes: its identity.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace larder {

class Digest {
 public:
  static constexpr std::size_t k_bytes = 32;
  using Bytes = std::array<std::uint8_t, k_bytes>;

  Digest() = default;  // all zero: no content has it
  explicit Digest(const Bytes& bytes) : bytes_(bytes) {}

  static std::optional<Digest> from_hex(std::string_view hex);      // 64 digits, either case
  static std::optional<Digest> from_bytes(std::string_view raw);    // exactly 32 bytes
  static std::optional<Digest> from_base64(std::string_view text);  // as HTTP digest fields carry it

  std::string hex() const;  // 64 lower-case digits
  using Hex = std::array<char, 2 * k_bytes>;
  Hex hex_digits() const;  // the same, where a string would be too much
  std::string base64() const;
  const Bytes& bytes() const { return bytes_; }
  std::string_view raw() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

  auto operator<=>(const Digest&) const = default;

 private:
  Bytes bytes_{};
};

}  // namespace larder

template <>
struct std::hash<larder::Digest> {
  std::size_t operator()(const larder::Digest& digest) const noexcept {
    std::size_t value;  // the bytes are already uniformly distributed
    static_assert(sizeof value <= larder::Digest::k_bytes);
    __builtin_memcpy(&value, digest.bytes().data(), sizeof value);
    return value;
  }
};
