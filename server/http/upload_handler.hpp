// POST /-/v1/uploads: many small artifacts at once.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_uploads(Exchange& exchange, const Target& target);

}  // namespace larder::http
