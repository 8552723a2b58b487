// Where FTP's paths lead. "/" lists the namespaces, "/NAMESPACE/PATH" is what
// HTTP serves under the same path, "/@SNAPSHOT/NAMESPACE/PATH" included; nothing is decoded. Pure text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/artifact_key.hpp"
#include "common/result.hpp"

namespace larder::ftp {

// The absolute path of what a client named while it was in `directory`: no
// empty, "." or ".." components, no slash at the end, "/" for the root. Nothing
// is above the root.
std::string resolve(std::string_view directory, std::string_view named);

struct Place {
  enum class Kind : std::uint8_t {
    root,
    snapshot,    // its top: "/@NAME"
    name_space,  // its top; of a snapshot, too: "/@NAME/NAMESPACE"
    below,       // an artifact, or a directory
    nowhere,     // no artifact and no directory can have this name
  };
  Kind kind = Kind::root;
  std::string name_space;  // "@NAME/NAMESPACE" of a frozen one
  std::string path;        // below the namespace

  Result<ArtifactKey> key() const { return ArtifactKey::make(name_space, path); }
};

// `absolute` as resolve() gives it.
Place place_of(std::string_view absolute);

// "/a/b" → "/a" and "b"; "/" → "/" and "".
std::string_view parent_of(std::string_view absolute);
std::string_view last_of(std::string_view absolute);

}  // namespace larder::ftp
