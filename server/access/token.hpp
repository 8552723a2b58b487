// Tokens: what a person or a build shows instead of a password. The text is
// "larder_ID_SECRET": the prefix lets scanners for leaked secrets find one, the id (12
// hexadecimal digits) finds its record, the secret is 256 random bits. What is kept is the
// SHA-256 of the whole text: nobody can go through 2^256 of them, so a slow hash would
// protect nothing and cost every request. Pure but for the random bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/digest.hpp"
#include "common/rights.hpp"

namespace larder {

inline constexpr std::string_view k_token_prefix = "larder_";

struct TokenRecord {
  std::string id;    // 12 lower-case hexadecimal digits
  std::string name;  // is_actor_name(); one record has it at a time
  Digest hash;       // of the token's text
  UnixSeconds created = 0;
  UnixSeconds expires = 0;  // 0: never
  RightSet rights;
  NamespaceSet where;
  std::string created_by;  // an actor
  bool operator==(const TokenRecord&) const = default;
};

struct NewToken {
  std::string text;  // to be shown once
  std::string id;
  Digest hash;
};
NewToken make_token();

// The id of a text that has the form of a token; nothing otherwise.
std::optional<std::string_view> token_id(std::string_view text);

// In time that does not tell how much of it is right.
bool is_token_of(const TokenRecord& record, std::string_view text);

}  // namespace larder
