// Tokens by the admin interface: list, make, revoke.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_tokens(Exchange& exchange, const Target& target);

}  // namespace larder::http
