// Pruning, the trash and pins (common/prune_api.hpp). Those who may write may ask.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_prune(Exchange& exchange);
Task<void> serve_trash(Exchange& exchange, const Target& target);
Task<void> serve_undo(Exchange& exchange, const Target& target);
Task<void> serve_pins(Exchange& exchange);

}  // namespace larder::http
