// The lines that point a build at a server.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "client/server_url.hpp"
#include "common/api.hpp"

namespace larder::client {

enum class ConfFormat { local_conf, kas, buildroot };

std::optional<ConfFormat> conf_format(std::string_view name);  // "local.conf", "kas", "buildroot"

// A file to paste from, with the traps as comments. The namespaces come from the
// server, by kind: every sstate one becomes a mirror, the first downloads one the
// source mirror. Credentials go where they work, never into the URL of a mirror.
std::string conf_text(ConfFormat format, const ServerUrl& server, const api::Stat& stat);

}  // namespace larder::client
