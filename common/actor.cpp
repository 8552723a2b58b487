#include "common/actor.hpp"

#include "common/glob.hpp"

namespace larder {

std::string actor_text(std::string_view name, std::string_view address) {
  if (name.empty()) return std::string(address);
  return std::string(name).append("@").append(address);
}

bool means_actor(std::string_view pattern, std::string_view actor) {
  const auto at = actor.rfind('@');  // an address has none; a name, of a certificate, may have some
  const auto split = pattern.rfind('@');
  if (at == std::string_view::npos) return matches_glob(pattern, actor);
  const std::string_view name = actor.substr(0, at);
  const std::string_view address = actor.substr(at + 1);
  if (split == std::string_view::npos) return matches_glob(pattern, name) || matches_glob(pattern, address);
  return matches_glob(pattern.substr(0, split), name) && matches_glob(pattern.substr(split + 1), address);
}

}  // namespace larder
