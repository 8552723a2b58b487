// What an Authorization field says. Pure; every byte of it is hostile.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace larder {

struct Credentials {
  Credentials() = default;
  Credentials(std::string named, std::string shown) : user(std::move(named)), secret(std::move(shown)) {}
  std::string user;    // as Basic and FTP name it; empty with Bearer
  std::string secret;  // a token, or a password
};

// "Basic …" (RFC 7617) and "Bearer …" (RFC 6750), the word in any case. Nothing for other schemes,
// for what is no base64, for Basic without a colon, and for control characters in either part.
std::optional<Credentials> parse_authorization(std::string_view field);

// Who logs in as nobody in particular: "anonymous" and "ftp", in any case, as a `default` entry of
// ~/.netrc sends it.
bool is_anonymous_user(std::string_view user);
// The same of one who shows something: a token counts whatever the user's name, an e-mail address never.
bool is_anonymous(const Credentials& credentials);

// The fields that ask for credentials, complete lines.
inline constexpr std::string_view k_challenge =
    "WWW-Authenticate: Basic realm=\"larder\", charset=\"UTF-8\"\r\n"
    "WWW-Authenticate: Bearer realm=\"larder\"\r\n";

}  // namespace larder
