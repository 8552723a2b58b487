// A disk in memory that remembers what was synced. crash() is a power cut: what
// was not synced is forgotten, in the way the test chooses. Hard links, link
// limits and space behave as on a real disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/store/file_system.hpp"

namespace larder {

class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();

  // What a power cut spares of what was not synced. Both happen: journals
  // commit entries early, and delayed allocation writes bytes late.
  enum class Loss {
    everything,   // entries and bytes
    bytes_alone,  // entries stay, files have the length and content of their last sync
  };
  void crash(Loss loss);

  void limit_links(std::uint64_t links) { max_links_ = links; }  // of one inode
  void limit_space(std::uint64_t bytes) { capacity_ = bytes; }
  void limit_inodes(std::uint64_t inodes) { inodes_ = inodes; }      // files and directories; 0: not counted
  void damage(const std::string& path, const std::string& content);  // behind everybody's back

  std::vector<std::string> files() const;  // all paths of files, sorted
  std::string content(const std::string& path) const;
  std::uint64_t links(const std::string& path) const;
  std::uint64_t used() const;         // bytes of all files, each inode once
  std::uint64_t used_inodes() const;  // of all files and directories

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
  class OpenFile;
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  using Entries = std::map<std::string, NodePtr>;

  NodePtr find(const std::string& path) const;
  Result<NodePtr> directory_for(const std::string& path, const char* doing) const;
  Result<void> link_node(const NodePtr& node, const std::string& to);
  struct Used {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 0;
  };
  Used used_locked() const;
  bool has_inode() const { return inodes_ == 0 || used_locked().inodes < inodes_; }
  static void sync_tree(Node& node);

  mutable std::mutex mutex_;
  NodePtr root_;
  std::uint64_t max_links_ = 65000;
  std::uint64_t capacity_ = std::uint64_t{1} << 40;
  std::uint64_t inodes_ = 0;
};

}  // namespace larder
