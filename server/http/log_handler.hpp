// GET /-/v1/log: who did what to which name, newest first.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_log(Exchange& exchange, const Target& target);

}  // namespace larder::http
