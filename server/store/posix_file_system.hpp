// The FileSystem of Linux. Names are resolved with openat2(2) beneath the root
// and without symbolic links; on kernels or sandboxes without openat2, with
// O_NOFOLLOW on each component.
#pragma once

#include <filesystem>

#include "common/descriptor.hpp"
#include "server/store/file_system.hpp"

namespace larder {

class PosixFileSystem final : public FileSystem {
 public:
  // The directory has to exist.
  static Result<std::unique_ptr<PosixFileSystem>> open_root(const std::filesystem::path& root);

  Result<std::unique_ptr<File>> create(const std::string& path) override;
  Result<std::unique_ptr<File>> open(const std::string& path) override;
  Result<FileStatus> status(const std::string& path) override;
  Result<void> link(const std::string& from, const std::string& to) override;
  Result<void> link_file(File& file, const std::string& to) override;
  Result<void> publish(const std::string& from, const std::string& to) override;
  Result<void> replace(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> make_directory(const std::string& path) override;
  Result<void> remove_directory(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<void> sync_all() override;
  Result<void> list(const std::string& path,
                    const std::function<bool(const DirectoryEntry&)>& visit) override;
  Result<DiskSpace> space() override;

 private:
  explicit PosixFileSystem(Descriptor root) : root_(std::move(root)) {}

  // Opens `path` beneath the root; errno is set on failure.
  Descriptor resolve(const std::string& path, int flags, unsigned mode = 0) const;
  // The directory that holds the last component of `path`.
  Descriptor directory_of(const std::string& path) const;

  Descriptor root_;
};

}  // namespace larder
