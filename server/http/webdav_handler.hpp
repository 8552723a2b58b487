// What isar-sstate and file managers ask of a WebDAV server (RFC 4918), as far as it fits a
// cache. Directories are virtual: each is there, and holds the names below it.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

// False: the name of a directory's would be that of an artifact, or of nothing that can be.
Task<bool> may_be_directory(Exchange& exchange, const Target& target);
// Agreed to, and done by the first upload.
Task<void> serve_mkcol(Exchange& exchange, const Target& target);
// What is there, one level deep at most. Properties that were asked for by name are not told apart.
Task<void> serve_propfind(Exchange& exchange, const Target& target);
// 204 where nothing is below, as it has been since the last name went; 409 where something is.
Task<void> delete_directory(Exchange& exchange, const Target& target);

}  // namespace larder::http
