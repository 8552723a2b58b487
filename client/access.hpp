// Tokens, lanes and what one uploader stored, on the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/commands.hpp"
#include "common/access_api.hpp"
#include "common/promote_api.hpp"

namespace larder::client {

struct TokenOptions {
  enum class Verb { list, create, revoke } verb = Verb::list;
  std::string name;        // of revoke: or an id
  std::string can;         // "read,write"
  std::string name_space;  // "a,b"; empty: all
  std::string expires;     // "90d"; empty: never
};
ExitCode run_token(const Globals& globals, const TokenOptions& options);

struct PromoteOptions {
  api::PromoteRules rules;
  std::string since;  // as parse_moment() takes it
};
ExitCode run_promote(const Globals& globals, const PromoteOptions& options);

// Like prune, by uploader and time.
struct PurgeOptions {
  PruneOptions prune;
  std::string since;  // as parse_moment() takes it
};
ExitCode run_purge(const Globals& globals, const PurgeOptions& options);

std::string token_page(const std::vector<api::TokenInfo>& tokens, std::int64_t now);
std::string promote_page(const std::string& lane, const api::PromoteEvent& event, bool applied);

}  // namespace larder::client
