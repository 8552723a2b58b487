// An open file of this disk, closed when it goes.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "client/seed_scan.hpp"
#include "common/result.hpp"

namespace larder::client {

class LocalFile {
 public:
  static Result<LocalFile> open(const std::filesystem::path& path, int flags, mode_t mode = 0) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (descriptor < 0) return posix_error("open", path.native(), errno);
    return LocalFile(descriptor);
  }
  ~LocalFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  LocalFile(LocalFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  LocalFile& operator=(LocalFile&&) = delete;

  int descriptor() const { return descriptor_; }

  Result<FileState> state() const {
    struct stat status = {};
    if (::fstat(descriptor_, &status) != 0) return posix_error("look at", "the open file", errno);
    const std::int64_t modified = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
    return FileState{static_cast<std::uint64_t>(status.st_size), modified};
  }

 private:
  explicit LocalFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace larder::client
