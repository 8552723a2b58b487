// Where the server is, as --server and LARDER_SERVER say it.
#pragma once

#include <string>
#include <string_view>

#include "common/result.hpp"

namespace larder::client {

// Whom an https server is believed by, and what we show it; PEM files.
struct Trust {
  enum class Checks { yes, no };
  std::string authorities;  // empty: those of the system
  std::string certificate;  // ours; empty: none
  std::string key;          // empty: in the same file
  Checks checks = Checks::yes;
};

struct ServerUrl {
  std::string base;  // "http://host:8480", a path behind it possible, never a slash at the end
  std::string user;  // decoded; empty: none given (then ~/.netrc is asked)
  std::string password;
  std::string token;  // shown instead of these; never a part of the URL
  Trust trust;

  bool has_credentials() const { return !user.empty(); }
};

inline constexpr std::string_view k_default_server = "http://127.0.0.1:8480";

// "http://host:8480", "https://user:pass@host/prefix/", "host:8480" (http). The
// credentials are cut out, so that the base can be printed. invalid_argument for
// other schemes, queries, fragments, blanks and an empty host.
Result<ServerUrl> parse_server_url(std::string_view text);

// Without port, credentials and the brackets of an IPv6 address.
std::string host_of(const ServerUrl& server);
// This machine, whatever it is called elsewhere.
bool is_loopback(const ServerUrl& server);

}  // namespace larder::client
