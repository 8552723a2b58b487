// Preconditions, decided in the order of RFC 9110 section 13.2.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "server/http/request_parser.hpp"

namespace larder::http {

// What a response would carry. All our entity tags are strong.
struct Validators {
  std::string_view etag;  // without its quotes: the SHA-256 in hexadecimal, a generation …
  UnixSeconds last_modified = 0;
};

// The ETag field: "…" with quotes.
std::string quoted_etag(std::string_view etag);

enum class Precondition : std::uint8_t {
  proceed,
  not_modified,  // 304; GET and HEAD only
  failed,        // 412
};

// Whether evaluate() has anything to say of an upload beyond If-None-Match: *, which the store decides.
bool has_preconditions(const Request& request);

// `current` is what is there, or nullopt. For GET and HEAD of something that
// is not there the answer is 404; do not ask.
Precondition evaluate(const Request& request, const std::optional<Validators>& current);

// Whether the request's Range field counts: there is one, and If-Range, if
// there is one too, names exactly what is there now.
bool range_applies(const Request& request, const Validators& current);

}  // namespace larder::http
