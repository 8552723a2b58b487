#pragma once

#include <cstddef>
#include <string_view>

namespace larder {

// Length of the well-formed UTF-8 sequence at the start of `text`, which is not
// empty; 0 if there is none (Unicode 15, table 3-7: no overlong forms, no surrogates).
std::size_t utf8_sequence(std::string_view text);

}  // namespace larder
