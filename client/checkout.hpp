// `larder checkout NAMESPACE[@SNAPSHOT] DIR`: the daemon makes a view of a namespace
// in a directory of its own machine.
#pragma once

#include <string>

#include "client/commands.hpp"

namespace larder::client {

struct CheckoutOptions {
  std::string what;  // "NAMESPACE" or "NAMESPACE@SNAPSHOT"
  std::string directory;
  std::string mode = "link";  // reflink, copy
  bool update = false;
  bool remove_extra = false;
};
ExitCode run_checkout(const Globals& globals, const CheckoutOptions& options);

// "sstate-cache@r1" as the server names it: "@r1/sstate-cache".
std::string served_namespace(std::string_view what);

}  // namespace larder::client
