#include <boost/json.hpp>
#include <iostream>

#include "client/commands.hpp"
#include "client/conf_text.hpp"

namespace larder::client {

ExitCode run_conf(const Globals& globals, const ConfOptions& options) {
  const auto format = conf_format(options.format);
  if (!format) {
    return complain(globals, ExitCode::usage,
                    "no format '" + options.format + "': local.conf, kas or buildroot");
  }
  ServerConnection connection(globals.server);
  auto stat = fetch_stat(connection, std::chrono::milliseconds(0));
  if (!stat) return complain(globals, stat.error());
  const auto chosen = choose_namespaces(*stat, options.namespaces);
  if (!chosen) return complain(globals, ExitCode::usage, chosen.error().message());
  const std::string text = conf_text(*format, globals.server, *stat);
  if (globals.json) {
    std::cout << boost::json::serialize(boost::json::object{{"format", options.format}, {"text", text}})
              << "\n";
  } else {
    std::cout << text;
  }
  return ExitCode::well;
}

}  // namespace larder::client
