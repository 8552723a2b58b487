// Directories of the daemon's machine that a client names, and what the admin allows.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace larder::http {

// `directory`, resolved, is one of `allowed` or below it.
bool lies_below(const std::filesystem::path& directory, const std::vector<std::string>& allowed);

// Neither of two resolved directories lies in the other.
bool lie_apart(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace larder::http
