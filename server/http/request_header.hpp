// A scanned header block, read into a Request. Apart from the driver's own
// needs this is where Boost.Beast is at work, and the only place that sees it.
#pragma once

#include <string_view>

#include "server/http/header_scanner.hpp"
#include "server/http/request_parser.hpp"

namespace larder::http {

// `block` has passed HeaderScanner. Fills `request` (cleared before), or says
// why nobody should act on it: lengths that contradict each other, a missing
// Host, versions and expectations this server does not know.
Refusal read_header(std::string_view block, Request& request);

}  // namespace larder::http
