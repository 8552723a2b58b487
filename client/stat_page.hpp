// The page of `larder stat`.
#pragma once

#include <string>

#include "common/api.hpp"

namespace larder::client {

std::string stat_page(const std::string& server, const api::Stat& stat);

}  // namespace larder::client
