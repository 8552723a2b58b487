// Where a tree of artifacts is: a directory of this machine or a namespace of a server.
#pragma once

#include <string>
#include <string_view>

#include "client/server_url.hpp"
#include "common/result.hpp"

namespace larder::client {

struct TreeSource {
  enum class Where { directory, server };
  Where where = Where::directory;
  std::string label;       // as people read it; holds no password
  std::string directory;   // of a directory
  ServerUrl server;        // of a server
  std::string name_space;  // likewise: "sstate-cache" or "@SNAPSHOT/sstate-cache"

  bool is_directory() const { return where == Where::directory; }
};

// "sstate-cache" and "@SNAPSHOT/sstate-cache" are of `server`, "http://host:8480/sstate-cache" of
// another one, and whatever else has a slash, "." and ".." are directories.
Result<TreeSource> parse_tree_source(std::string_view text, const ServerUrl& server);
// The same; invalid_argument, too, for a directory that is not there.
Result<TreeSource> find_tree_source(std::string_view text, const ServerUrl& server);

}  // namespace larder::client
