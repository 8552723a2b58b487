// Dates as HTTP writes them (RFC 9110, section 5.6.7), and as ISO 8601 does;
// no locale, always UTC.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"

namespace larder::http {

// "Sun, 06 Nov 1994 08:49:37 GMT". Years outside 1…9999 are held at the edge.
std::string format_http_date(UnixSeconds time);
void append_http_date(std::string& out, UnixSeconds time);
// Of now; until the thread asks again. Formatting it for every answer would cost more than the rest of a
// header.
std::string_view current_http_date();

// "1994-11-06T08:49:37Z", held at the same edges.
std::string format_iso_date(UnixSeconds time);

// Any of the three forms a server has to accept: as above, "Sunday, 06-Nov-94
// 08:49:37 GMT" (years 70 to 99 are 19xx) and "Sun Nov  6 08:49:37 1994".
// The name of the day has to be one, but need not be the right one.
std::optional<UnixSeconds> parse_http_date(std::string_view text);

}  // namespace larder::http
