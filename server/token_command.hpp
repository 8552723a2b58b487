// `larderd token`: tokens without a daemon, for the first one; a running daemon notices.
#pragma once

#include <ostream>
#include <string>

#include "server/config.hpp"

namespace larder {

struct TokenArguments {
  enum class Verb { none, create, list, revoke } verb = Verb::none;
  std::string name;
  std::string can;
  std::string where;
  std::string expires;  // "90d"; empty: never
};

// Prints to `out` what was asked for: a new token alone on its line.
Result<void> run_token_command(const Config& config, const TokenArguments& arguments, std::ostream& out);

}  // namespace larder
