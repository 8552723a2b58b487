// Percent encoding as BitBake's fetcher does it, so that all clients of a mirror
// ask for the same spelling.
#pragma once

#include <string>
#include <string_view>

namespace larder::client {

// Python's urllib.parse.quote(text, safe="/"): letters, digits, "_.-~" and "/"
// stay, every other byte becomes %XX in upper case.
std::string quote_path(std::string_view path);

// The same without a safe "/": for values of a query string.
std::string quote_value(std::string_view value);

// %XX back to bytes; a stray "%" stays as it is, "+" stays "+".
std::string unquote(std::string_view text);

}  // namespace larder::client
