// What a request's target names:
//
//   /                          the namespaces and how to use them
//   /NAMESPACE, /NAMESPACE/    the listing of a namespace
//   /NAMESPACE/DIRECTORY/      the listing of a directory
//   /NAMESPACE/PATH            an artifact (or a directory without its slash)
//   /-/…                       everything that is not an artifact
//   /@SNAPSHOT                 the namespaces of a snapshot
//   /@SNAPSHOT/NAMESPACE/…     as without the snapshot, frozen
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/artifact_key.hpp"
#include "common/result.hpp"

namespace larder::http {

inline constexpr std::size_t k_max_target = 8 * 1024;

struct Target {
  enum class Kind : std::uint8_t { root, listing, artifact, admin, snapshot };

  Kind kind = Kind::root;
  std::string snapshot;    // its name, without the @; of listings and artifacts, too
  std::string name_space;  // listing and artifact; "@SNAPSHOT/NAMESPACE" of a frozen one
  std::string path;        // below the namespace, without slash at either end; admin: all of it, "/-/health"
  bool trailing_slash = false;  // a directory is meant
  std::string query;            // behind the '?', as it came

  // The artifact's name. Meant for Kind::artifact; an error otherwise.
  Result<ArtifactKey> key() const { return ArtifactKey::make(name_space, path); }
};

// Decodes the path once; '+' stays what it is. Errors are
//   invalid_name  the target can never be served: 400
//   not_found     nothing can have this name, but asking is not wrong: 404
// Only the origin form is understood: "*" belongs to OPTIONS, which needs no
// Target, and the absolute form to proxies, which this server is not.
Result<Target> parse_target(std::string_view raw);

// What parse_target() finds for the target of an artifact in a namespace itself, when it is written in the
// plainest way: no query, nothing doubtful. Decoded into `room`, whose memory it then stands in. Nothing:
// parse_target() has to say what it is.
std::optional<KeyView> plain_artifact(std::string_view raw, std::string& room);

// The value of the first `name=…` of a query, decoded ('+' is a space here, an
// escape that is none stays as it is); empty when it has no "=", nullopt when
// the query does not name it.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace larder::http
