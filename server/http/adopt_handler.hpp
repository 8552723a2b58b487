// POST /-/v1/adopt: takes a directory of the daemon's machine in, telling how
// it goes in lines of JSON while it lasts.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_adopt(Exchange& exchange, const Target& target);

}  // namespace larder::http
