// What the shell gets. Stable: scripts rely on it, and --help lists it.
#pragma once

namespace larder::client {

enum class ExitCode : int {
  well = 0,
  incomplete = 1,     // something is missing, was left out, differs or is damaged
  usage = 2,          // the command line makes no sense
  server = 3,         // not reachable, or it refused
  interrupted = 130,  // SIGINT or SIGTERM, as shells say it
};

}  // namespace larder::client
