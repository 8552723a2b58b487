// Percent-encoding as clients of a mirror write it (RFC 3986, section 2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace larder {

// What urllib.parse.quote() makes of a path, which is what BitBake asks for:
// letters, digits, "_.-~" and "/" stay, every other byte becomes %XX.
std::string percent_encode(std::string_view path);

// The reverse, once. '+' is a plus: only queries read it as a space. nullopt
// when a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace larder
