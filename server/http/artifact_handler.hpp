// GET, HEAD, PUT and DELETE of artifacts.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

// What can be done at once for a GET or HEAD that asks for nothing special, which is nearly all of them:
// memory alone tells. Whether the client may read is not asked here: that belongs into HttpSession::run(),
// before this way and the other.
enum class AtOnce {
  answered,   // a HEAD, something missing, something small
  have_file,  // `artifact` is open, and answer_whole() sends it
  no,         // nothing was done: ask serve_artifact()
};
AtOnce answer_at_once(Exchange& exchange, KeyView key, OpenArtifact& artifact);
Task<void> answer_whole(Exchange& exchange, KeyView key, const OpenArtifact& artifact);

Task<void> serve_artifact(Exchange& exchange, const ArtifactKey& key);

// A path without a trailing slash that turned out to be no artifact.
Task<void> answer_missing(Exchange& exchange, const ArtifactKey& key);

}  // namespace larder::http
