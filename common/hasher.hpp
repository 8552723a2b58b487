// SHA-256 of bytes that come in pieces.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "common/digest.hpp"

struct evp_md_ctx_st;

namespace larder {

class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  Digest finish();  // and start over

  static Digest of(std::string_view text);

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  void restart();

  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace larder
