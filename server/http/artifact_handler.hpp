// GET, HEAD, PUT and DELETE of artifacts.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

// Answers a HEAD, or a GET of something missing, when memory alone can tell:
// the storm of availability checks. False: nothing was done, ask serve_artifact().
bool answer_check_from_memory(Exchange& exchange, const ArtifactKey& key);

Task<void> serve_artifact(Exchange& exchange, const ArtifactKey& key);

// A path without a trailing slash that turned out to be no artifact.
Task<void> answer_missing(Exchange& exchange, const ArtifactKey& key);

}  // namespace larder::http
