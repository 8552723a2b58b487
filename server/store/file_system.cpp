#include "server/store/file_system.hpp"

namespace larder {

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

Result<void> sync_nearest_directory(FileSystem& disk, std::string path) {
  while (true) {
    const auto synced = disk.sync_directory(path);
    if (synced || synced.error().code() != Errc::not_found || path.empty()) return synced;
    path = parent_of(path);
  }
}

Result<void> make_directories(FileSystem& disk, const std::string& path) {
  if (path.empty()) return {};
  auto result = disk.make_directory(path);
  if (!result && result.error().code() == Errc::not_found) {
    LARDER_TRY(make_directories(disk, parent_of(path)));
    result = disk.make_directory(path);
  }
  if (result || result.error().code() != Errc::exists) return result;

  LARDER_TRY_ASSIGN(const FileStatus status, disk.status(path));
  if (status.type != FileType::directory)
    return Error(Errc::conflict, "cannot make directory " + path + ": a file has that name");
  return {};
}

}  // namespace larder
