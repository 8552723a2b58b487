// The header of a GET or HEAD as nearly every client sends it, read in one go where it lies.
// It takes nothing that RequestParser would refuse or understand in another way; it leaves
// to RequestParser what is not here as a whole, and what is in any way out of the ordinary.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "server/http/request_parser.hpp"

namespace larder::http {

// HTTP/1.1, without a body or a condition, on a connection that is kept. The views are of the input.
struct PlainRequest {
  Method method = Method::get;  // or head
  std::string_view target;      // as it came, still percent-encoded
  std::string_view accept;
  std::string_view authorization;
  std::size_t size = 0;  // bytes of the header, with the empty line
};

// Of the request that `input` begins with; nothing: ask RequestParser.
std::optional<PlainRequest> read_plain_request(std::string_view input, const HeaderLimits& limits);

}  // namespace larder::http
