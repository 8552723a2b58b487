#include "server/ftp/path.hpp"

namespace larder::ftp {

std::string resolve(std::string_view directory, std::string_view named) {
  std::string path = named.starts_with('/') || directory == "/" ? std::string() : std::string(directory);
  while (!named.empty()) {
    const auto slash = named.find('/');
    const std::string_view component = named.substr(0, slash);
    named.remove_prefix(slash == std::string_view::npos ? named.size() : slash + 1);
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      path.erase(path.empty() ? 0 : path.rfind('/'));
      continue;
    }
    path.append("/").append(component);
  }
  return path.empty() ? "/" : path;
}

Place place_of(std::string_view absolute) {
  Place place;
  absolute.remove_prefix(1);
  if (absolute.empty()) return place;
  auto slash = absolute.find('/');
  if (absolute.starts_with('@')) {
    if (slash == std::string_view::npos) {
      place.kind = is_snapshot_name(absolute.substr(1)) ? Place::Kind::snapshot : Place::Kind::nowhere;
      place.name_space = absolute;
      return place;
    }
    slash = absolute.find('/', slash + 1);
  }
  place.name_space = absolute.substr(0, slash);
  if (slash != std::string_view::npos) place.path = absolute.substr(slash + 1);
  place.kind = place.path.empty() ? Place::Kind::name_space : Place::Kind::below;
  const bool possible =
      is_space_name(place.name_space) && (place.path.empty() || path_defect(place.path).empty());
  if (!possible) place.kind = Place::Kind::nowhere;
  return place;
}

std::string_view parent_of(std::string_view absolute) {
  const auto slash = absolute.rfind('/');
  return slash == 0 ? absolute.substr(0, 1) : absolute.substr(0, slash);
}

std::string_view last_of(std::string_view absolute) {
  return absolute.substr(absolute.rfind('/') + 1);
}

}  // namespace larder::ftp
