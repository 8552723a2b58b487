// What is told about one request, and the line that tells it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/config.hpp"

namespace larder {

struct AccessRecord {
  std::string_view client;      // address
  std::string_view user;        // of the token or user; empty: nobody in particular
  std::string_view protocol;    // "http"
  std::string_view method;      // "GET"
  std::string_view name_space;  // of an artifact; empty: the request was for something else
  std::string_view name;        // as requested; control characters are made visible
  int status = 0;
  std::string_view outcome;    // "hit", "miss", "created" …; empty: none
  std::uint64_t bytes_in = 0;  // of bodies
  std::uint64_t bytes_out = 0;
  std::chrono::microseconds duration{0};
};

// A target of the absolute form without a user and a password in it: "http://ci:secret@host/x" is
// "http://host/x" in a log.
std::string without_userinfo(std::string_view target);

// Appends one line without its end, in UTF-8. Values a client chose cannot forge another
// line or field: quotes, backslashes, control characters and bytes that are not
// UTF-8 are escaped.
void append_access(std::string& out, const AccessRecord& record, LogFormat format,
                   std::int64_t unix_milliseconds);

}  // namespace larder
