// Patterns of names: literal bytes, '*' for any run of bytes (slashes included) and
// '?' for one byte. Deliberately no more: a name may hold brackets and backslashes.
#pragma once

#include <string_view>

namespace larder {

bool is_glob(std::string_view text);  // has a '*' or '?'

// Takes time in proportion to the product of the lengths, never more.
bool matches_glob(std::string_view pattern, std::string_view name);

}  // namespace larder
