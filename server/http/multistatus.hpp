// What PROPFIND answers (RFC 4918): what is there, as XML. Pure text in, text out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/api.hpp"

namespace larder::http {

enum class Depth : std::uint8_t { self, children };

// Nothing for "infinity", which is also what no field means, and for what is no depth.
std::optional<Depth> parse_depth(std::string_view text);

// `listing.path` starts and ends with a slash and is not encoded.
std::string render_multistatus(const api::Listing& listing, Depth depth);
// Of an artifact alone. `directory` as `listing.path`.
std::string render_multistatus(std::string_view directory, const api::ListingEntry& artifact);

}  // namespace larder::http
