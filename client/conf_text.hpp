// The lines that point a build at a server.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/server_url.hpp"
#include "common/api.hpp"

namespace larder::client {

enum class ConfFormat { local_conf, kas, buildroot };

std::optional<ConfFormat> conf_format(std::string_view name);  // "local.conf", "kas", "buildroot"

// What a build is pointed at, left in `stat`. Without names all but lanes, which are for builds that are not
// trusted. Names, of namespaces or of those in snapshots ("@release/sstate-cache"), take the places of all
// others of their kind. invalid_argument: there is no such namespace.
Result<void> choose_namespaces(api::Stat& stat, const std::vector<std::string>& names);

// A file to paste from, with the traps as comments. The namespaces come from the
// server, by kind: every sstate one becomes a mirror, the first downloads one the
// source mirror. Credentials go where they work, never into the URL of a mirror.
std::string conf_text(ConfFormat format, const ServerUrl& server, const api::Stat& stat);

}  // namespace larder::client
