#include "server/store/file_system.hpp"

namespace larder {

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

Result<std::vector<std::string>> make_directories(FileSystem& disk, const std::string& path) {
  std::vector<std::string> made;
  if (path.empty()) return made;

  auto result = disk.make_directory(path);
  if (!result && result.error().code() == Errc::not_found) {
    LARDER_TRY_ASSIGN(made, make_directories(disk, parent_of(path)));
    result = disk.make_directory(path);
  }
  if (result) {
    made.push_back(path);
    return made;
  }
  if (result.error().code() != Errc::exists) return result.error();

  LARDER_TRY_ASSIGN(const FileStatus status, disk.status(path));
  if (status.type != FileType::directory)
    return Error(Errc::conflict, "cannot make directory " + path + ": a file has that name");
  return made;
}

void remove_empty_directories(FileSystem& disk, std::string path, const std::string& root) {
  while (path.size() > root.size()) {
    if (!disk.remove_directory(path)) return;
    path = parent_of(path);
  }
}

}  // namespace larder
