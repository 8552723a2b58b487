// POST /-/v1/checkout: a view of a namespace in a directory of the daemon's machine,
// telling how it goes in lines of JSON while it lasts.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_checkout(Exchange& exchange, const Target& target);

}  // namespace larder::http
