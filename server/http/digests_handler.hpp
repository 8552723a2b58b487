// GET /-/v1/digests: what every name of a namespace holds.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_digests(Exchange& exchange, const Target& target);

}  // namespace larder::http
