// Replies on the control connection (RFC 959 section 4.2), and the codes that
// errors of the store become. Pure text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/error.hpp"

namespace larder::ftp {

// "250 text\r\n". A text of several lines, separated by line feeds, becomes a reply of
// several lines: "211-first\r\n second\r\n211 last\r\n". Whatever bytes `text` has, there is one
// reply: control characters are made visible, and inner lines start with a space.
void append_reply(std::string& out, int code, std::string_view text);

enum class Doing : std::uint8_t { reading, storing, removing };
int code_of(Errc error, Doing doing);

// The directory as 257 quotes it: "/a ""b""".
std::string quoted_directory(std::string_view directory);

}  // namespace larder::ftp
