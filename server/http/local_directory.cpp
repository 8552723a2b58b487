#include "server/http/local_directory.hpp"

#include <algorithm>

namespace larder::http {

bool lies_below(const std::filesystem::path& directory, const std::vector<std::string>& allowed) {
  for (const std::string& each : allowed) {
    std::error_code failure;
    const auto root = std::filesystem::canonical(each, failure);
    if (failure) continue;
    const auto relative = directory.lexically_relative(root);
    if (!relative.empty() && *relative.begin() != "..") return true;
  }
  return false;
}

bool lie_apart(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto starts_with = [](const std::filesystem::path& path, const std::filesystem::path& prefix) {
    return std::mismatch(prefix.begin(), prefix.end(), path.begin(), path.end()).first == prefix.end();
  };
  return !starts_with(a, b) && !starts_with(b, a);
}

}  // namespace larder::http
