#include <iostream>

#include "client/commands.hpp"
#include "client/stat_page.hpp"
#include "client/text.hpp"

namespace larder::client {

ExitCode run_stat(const Globals& globals) {
  ServerConnection connection(globals.server);
  const auto stat = fetch_stat(connection, std::chrono::milliseconds(0));
  if (!stat) return complain(globals, stat.error());
  if (globals.json) {
    std::cout << api::to_json(*stat) << "\n";
  } else {
    std::cout << stat_page(globals.server.base, *stat);
  }
  return stat->ready ? ExitCode::well : ExitCode::server;
}

}  // namespace larder::client
