// GET, HEAD, PUT and DELETE of artifacts.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

// What answer_from_memory() found to be in a file.
Task<void> answer_whole(Exchange& exchange, KeyView key, const OpenArtifact& artifact);

Task<void> serve_artifact(Exchange& exchange, const ArtifactKey& key);

// A path without a trailing slash that turned out to be no artifact.
Task<void> answer_missing(Exchange& exchange, const ArtifactKey& key);

}  // namespace larder::http
