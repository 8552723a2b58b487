// The FileSystem of Linux. Names are resolved with openat2(2) beneath the root
// and without symbolic links; on kernels or sandboxes without openat2, with
// O_NOFOLLOW on each component.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/descriptor.hpp"
#include "server/store/file_system.hpp"

namespace larder {

class PosixFileSystem final : public FileSystem {
 public:
  // The directory has to exist. Directories in `steady`, and those directly below them, are opened once
  // and kept: nothing renames them while this is in use. At most k_most_kept of them.
  static Result<std::unique_ptr<PosixFileSystem>> open_root(const std::filesystem::path& root,
                                                            std::vector<std::string> steady = {});
  static constexpr std::size_t k_most_kept = 260;  // objects/, objects/00 … ff, tmp/

  Result<std::unique_ptr<File>> create(const std::string& path) override;
  Result<void> create_whole(const std::string& path, std::span<const std::byte> bytes) override;
  Result<void> create_reserve(const std::string& path, std::uint64_t bytes) override;
  Result<std::unique_ptr<File>> open(const std::string& path) override;
  Result<std::unique_ptr<File>> open_to_overwrite(const std::string& path) override;
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
  using Directory = std::shared_ptr<const Descriptor>;  // null, and errno says why

  PosixFileSystem(Descriptor root, std::vector<std::string> steady)
      : root_(std::move(root)), steady_(std::move(steady)) {}

  // Opens `path` beneath the root; errno is set on failure.
  Result<Descriptor> create_new(const std::string& path, int flags, unsigned mode);
  Descriptor resolve(const std::string& path, int flags, unsigned mode = 0) const;
  // The directory that holds the last component of `path`.
  Directory directory_of(const std::string& path);
  bool is_steady(std::string_view directory) const;
  Directory kept(const std::string& directory);
  // It may be another one from now on.
  void forget(const std::string& directory);
  // The same when what is open is gone; errno is ENOENT then as before.
  bool forget_removed(const std::string& directory, const Descriptor& open);

  Descriptor root_;
  const std::vector<std::string> steady_;
  std::mutex mutex_;
  std::unordered_map<std::string, Directory> kept_;
};

}  // namespace larder
