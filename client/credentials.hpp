// Which token the client shows, and where it was told.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/result.hpp"

namespace larder::client {

struct TokenSources {
  std::string file;  // --token-file; empty: not given
  bool url_has_password = false;
  std::function<std::optional<std::string>(const char* name)> variable;  // of the environment
};

// The first of: the file given, LARDER_TOKEN, LARDER_TOKEN_FILE; the URL's own password goes before the
// variables. Empty: there is none, and ~/.netrc is asked. Errc::invalid_argument, or why a file cannot be
// read; a token never stands in a message.
Result<std::string> find_token(const TokenSources& sources);

// What --token says: arguments are seen by everybody on the machine.
inline constexpr const char* k_no_token_argument =
    "a token on the command line is seen by everybody on this machine (ps); put it into a file for "
    "--token-file, or into LARDER_TOKEN or ~/.netrc";

}  // namespace larder::client
