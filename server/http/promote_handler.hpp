// From a lane into the namespace that it overlays.
#pragma once

#include "server/http/exchange.hpp"

namespace larder::http {

Task<void> serve_promote(Exchange& exchange);

}  // namespace larder::http
