// A password file as Apache's htpasswd writes it: "NAME:HASH" a line. Understood are bcrypt
// ("$2y$", "$2b$", "$2a$") and SHA-512-crypt ("$6$"); formats that a graphics card undoes in an
// afternoon (MD5, SHA-1, DES, plain text) are refused, for they would pass for safe.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace larder {

using Passwords = std::map<std::string, std::string, std::less<>>;  // hash by name

// Errc::invalid_argument names the line, never the hash.
Result<Passwords> parse_htpasswd(std::string_view text);

// Whether `password` has this hash. Takes as long as the hash wants it to, some 50 ms: not on a loop.
bool is_password_of(const std::string& hash, const std::string& password);

}  // namespace larder
