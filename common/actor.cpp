#include "common/actor.hpp"

#include "common/glob.hpp"

namespace larder {

std::string actor_text(std::string_view name, std::string_view address) {
  if (name.empty()) return std::string(address);
  return std::string(name).append("@").append(address);
}

bool means_actor(std::string_view pattern, std::string_view actor) {
  if (matches_glob(pattern, actor)) return true;
  const auto at = actor.rfind('@');  // an address has none
  if (at == std::string_view::npos) return false;
  return matches_glob(pattern, actor.substr(0, at)) || matches_glob(pattern, actor.substr(at + 1));
}

}  // namespace larder
