// POST /-/v1/verify: checks what is stored, telling what it finds in lines of
// JSON while it lasts.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_verify(Exchange& exchange, const Target& target);

}  // namespace larder::http
