// GET, HEAD, PUT and DELETE of artifacts.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

// What answer_from_memory() found to be in a file.
Task<void> answer_whole(Exchange& exchange, KeyView key, const OpenArtifact& artifact);

Task<void> serve_artifact(Exchange& exchange, const ArtifactKey& key);

// True: it has a body of no length, and that has been answered.
Task<bool> refuse_without_length(Exchange& exchange);

// What a request says of its uploads as a whole: who sends them, for which build (for the ledger, and for
// `larder promote --build`), and what they may replace.
UploadRequest upload_terms(const Exchange& exchange, std::string_view name_space);

// What the sender is told of a receipt that is a conflict.
api::Problem conflict_of(const Exchange& exchange, const ArtifactKey& key, const Receipt& receipt);

// A path without a trailing slash that turned out to be no artifact.
Task<void> answer_missing(Exchange& exchange, const ArtifactKey& key);

}  // namespace larder::http
