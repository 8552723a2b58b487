// One request whose answer is small, however long the server takes over it.
#pragma once

#include <optional>
#include <string>

#include "client/commands.hpp"

namespace larder::client {

Result<Answer> ask(const Globals& globals, const std::string& method, const std::string& target,
                   std::optional<std::string> text = std::nullopt);

}  // namespace larder::client
