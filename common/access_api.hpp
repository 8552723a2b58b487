// What is said of tokens, as values and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"
#include "common/rights.hpp"

namespace larder::api {

// GET: TokenInfo lines (ndjson). POST: TokenRequest; answer: TokenInfo with the token itself, the only
// time it is told. DELETE ?token=NAME or ID; answer: TokenInfo of what it was.
inline constexpr std::string_view k_tokens = "/-/v1/tokens";

struct TokenRequest {
  std::string name;
  RightSet can;
  NamespaceSet where;           // none: all
  std::int64_t expires_in = 0;  // seconds; 0: never
};
std::string to_json(const TokenRequest& request);
Result<TokenRequest> token_request_from_json(std::string_view json);  // strict

struct TokenInfo {
  std::string id;
  std::string name;
  std::string can;             // "read,write"
  std::string where;           // "*", "sstate-cache,downloads"
  std::int64_t created = 0;    // UnixSeconds
  std::int64_t expires = 0;    // 0: never
  std::int64_t last_used = 0;  // since the daemon started; 0: not
  std::string created_by;
  std::string token;  // the text itself, once
};
std::string to_json(const TokenInfo& info);
Result<TokenInfo> token_info_from_json(std::string_view json);

}  // namespace larder::api
