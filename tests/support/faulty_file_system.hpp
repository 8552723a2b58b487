// Lets operations through to another FileSystem until the one it was told to
// fail; after that one alone, or after it everything (the machine has stopped).
// What else a test wants to happen in the middle of something, it does as a watcher.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

#include "server/store/file_system.hpp"

namespace larder {

class FaultyFileSystem final : public FileSystem {
 public:
  explicit FaultyFileSystem(FileSystem& disk) : disk_(disk) {}

  enum class Mode { once, from_then_on };
  // The `nth` operation from now on (1: the next) fails, unperformed, with `error_number`.
  void fail(std::uint64_t nth, Mode mode, int error_number);
  // From now on nothing new gets an entry (ENOSPC), as when no inode is left; false: it does again.
  void refuse_entries(bool refuse) { refuses_entries_ = refuse; }
  void heal();
  // Is told of each operation before it happens, by the thread that asks for it. Set while nobody does.
  using Watcher = std::function<void(std::string_view operation, const std::string& subject)>;
  void watch(Watcher watcher) { watcher_ = std::move(watcher); }
  bool struck() const { return struck_; }  // the failure has happened
  std::uint64_t operations() const { return count_; }

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
  class FaultyFile;
  Result<void> step(const char* operation, const std::string& subject);
  Result<void> new_entry(const char* operation, const std::string& subject);

  FileSystem& disk_;
  Watcher watcher_;
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> failing_{0};  // 0: none
  Mode mode_ = Mode::once;
  int error_number_ = 0;
  std::atomic<bool> struck_{false};
  std::atomic<bool> refuses_entries_{false};
};

}  // namespace larder
