#include "client/ask.hpp"

namespace larder::client {

Result<Answer> ask(const Globals& globals, const std::string& method, const std::string& target,
                   std::optional<std::string> text) {
  Request request;
  request.method = method;
  request.target = target;
  request.text = std::move(text);
  request.stall_timeout = std::chrono::seconds(0);  // a large trash, or a large snapshot, takes its time
  ServerConnection connection(globals.server);
  return connection.perform(request);
}

}  // namespace larder::client
