// The SHA-256 a client declares for the bytes it sends.
#pragma once

#include <optional>

#include "common/digest.hpp"
#include "common/result.hpp"
#include "server/http/request_parser.hpp"

namespace larder::http {

// From Repr-Digest and Content-Digest (RFC 9530; the same thing for uploads
// without Content-Encoding), Digest (RFC 3230) and X-Checksum-Sha256. Other
// algorithms are passed over. invalid_argument when a SHA-256 is there and
// cannot be read, or when two of them differ.
Result<std::optional<Digest>> declared_digest(const Request& request);

}  // namespace larder::http
