#include "client/commands.hpp"

#include <boost/json.hpp>
#include <iostream>

#include "client/text.hpp"

namespace larder::client {

ExitCode complain(const Globals& globals, ExitCode code, std::string_view message) {
  std::cerr << "larder: " << printable(message) << "\n";
  if (globals.json) {
    const boost::json::object object = {{"error", std::string(message)},
                                        {"exit_code", static_cast<int>(code)}};
    std::cout << boost::json::serialize(object) << "\n";
  }
  return code;
}

ExitCode complain(const Globals& globals, const Error& error) {
  const bool ended = error.code() == Errc::cancelled;
  return complain(globals, ended ? ExitCode::interrupted : ExitCode::server, error.message());
}

ExitCode complain(const Globals& globals, std::string_view name, const Answer& refusal) {
  constexpr int k_not_found = 404;
  const ExitCode code = refusal.status() == k_not_found ? ExitCode::incomplete : ExitCode::server;
  return complain(globals, code, std::string(name) + ": " + describe_refusal(refusal));
}

Result<api::Stat> fetch_stat(ServerConnection& connection, std::chrono::milliseconds patience,
                             std::chrono::seconds stall_timeout) {
  Request request;
  request.target = api::k_stat;
  request.headers = {"Accept: application/json"};
  request.stall_timeout = stall_timeout;
  LARDER_TRY_ASSIGN(const Answer answer, connection.perform_patiently(request, patience));
  if (!answer.ok()) return Error(Errc::io, describe_refusal(answer) + " (is this a larder server?)");
  auto stat = api::stat_from_json(answer.body);
  if (!stat)
    return Error(Errc::io,
                 connection.server().base + ": " + stat.error().message() + " (is this a larder server?)");
  return stat;
}

}  // namespace larder::client
