// What a check of the store has to say, for people.
#pragma once

#include <string>

#include "common/api.hpp"

namespace larder::client {

std::string defect_line(const api::VerifyEvent& event);
std::string verify_page(const std::string& server, const api::VerifyEvent& counts);

}  // namespace larder::client
