// The seam between the store and the disk. Everything the store does to files
// goes through here, so that a test can stand in for a disk that is full, that
// fails in the middle, or that forgets what was not synced.
//
// Paths are relative to the root given at construction, with single slashes and
// no "." or ".."; no symbolic link below the root is ever followed. All calls
// block and may be made from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"

namespace larder {

enum class FileType { file, directory, symlink, other };  // other: devices, sockets, pipes

struct FileStatus {
  FileType type = FileType::other;
  std::uint64_t size = 0;  // bytes
  std::uint64_t inode = 0;
  std::uint64_t links = 0;  // hard links, directories' own bookkeeping included
  std::uint32_t mode = 0;   // permission bits
  std::uint32_t owner = 0;  // user id
  UnixSeconds modified = 0;
  std::int64_t changed = 0;  // nanoseconds; grows with every write and change of mode or links (ctime)
};

// An open file. Closed by its destructor; reading does not need the name any more.
class File {
 public:
  virtual ~File() = default;

  virtual Result<void> append(std::span<const std::byte> bytes) = 0;  // all of them, or an error
  // Over what is there, and beyond, one piece behind the other; of a file that open_to_overwrite() opened.
  using Piece = std::span<const std::byte>;
  virtual Result<void> write_pieces_at(std::uint64_t offset, std::span<const Piece> pieces) = 0;
  Result<void> write_at(std::uint64_t offset, Piece bytes) { return write_pieces_at(offset, {&bytes, 1}); }
  // Fills as much of `buffer` as there is from `offset` on; 0 at the end.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) = 0;
  virtual Result<void> sync() = 0;  // bytes, size and mode survive a power cut once it returns
  // Everything of the file system that it lies on, syncfs(2). The first call after a write was lost
  // fails, whoever asked for that write and whoever else has synced since.
  virtual Result<void> sync_around() = 0;
  virtual Result<void> sync_data() = 0;  // as sync(), but not the mode: less is written
  virtual Result<void> seal() = 0;       // read-only for everybody (0444)
  virtual Result<FileStatus> status() = 0;
  virtual int descriptor() const = 0;  // for sendfile; -1 where there is none

  // Until then whoever sends it may take it that all of it is in memory: it just was.
  std::atomic<std::chrono::steady_clock::time_point> warm_until{};
};

struct DirectoryEntry {
  std::string name;
  FileType type = FileType::other;
};

struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;   // for an unprivileged process
  std::uint64_t free_inodes = 0;  // 0 with total_inodes 0: the file system does not count them
  std::uint64_t total_inodes = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> create(const std::string& path) = 0;  // new, 0600, for appending
  // A new file of these bytes and no more to come, 0444. Cut off by a crash it is shorter.
  virtual Result<void> create_whole(const std::string& path, std::span<const std::byte> bytes) = 0;
  // A new file that takes so many bytes of the disk, and holds nothing. Errc::not_supported where it would
  // have to be written for that.
  virtual Result<void> create_reserve(const std::string& path, std::uint64_t bytes) = 0;
  virtual Result<std::unique_ptr<File>> open(const std::string& path) = 0;  // regular files only, for reading
  virtual Result<std::unique_ptr<File>> open_to_overwrite(const std::string& path) = 0;  // made when missing
  virtual Result<FileStatus> status(const std::string& path) = 0;                        // of the name itself

  // One more name for an existing file. Errc::exists when `to` is taken,
  // Errc::too_many_links when the inode is full, Errc::not_supported across disks.
  virtual Result<void> link(const std::string& from, const std::string& to) = 0;
  // The same for an open file, which may belong to another FileSystem of this disk.
  virtual Result<void> link_file(File& file, const std::string& to) = 0;
  // Renames without ever replacing: Errc::exists when `to` is taken.
  virtual Result<void> publish(const std::string& from, const std::string& to) = 0;
  // Renames over whatever file is at `to`. Two names of one inode: `from` is gone, too.
  virtual Result<void> replace(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;

  virtual Result<void> make_directory(const std::string& path) = 0;
  virtual Result<void> remove_directory(const std::string& path) = 0;  // Errc::conflict when not empty
  virtual Result<void> sync_directory(const std::string& path) = 0;    // its entries survive a power cut
  virtual Result<void> sync_all() = 0;  // everything of this file system, syncfs(2)
  // Calls `visit` for every entry, in no particular order, until it returns false.
  virtual Result<void> list(const std::string& path,
                            const std::function<bool(const DirectoryEntry&)>& visit) = 0;

  virtual Result<DiskSpace> space() = 0;
};

// "a/b/c" -> "a/b"; "" for a name at the root.
std::string parent_of(const std::string& path);

// Syncs `path`, or, when it has been removed meanwhile, the nearest directory above it that
// is there: that one's entries tell that it is gone.
Result<void> sync_nearest_directory(FileSystem& disk, std::string path);

// Makes `path` and what is missing above it.
Result<void> make_directories(FileSystem& disk, const std::string& path);

}  // namespace larder
