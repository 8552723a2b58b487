#include "server/store/posix_file_system.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <string_view>

namespace larder {
namespace {

constexpr unsigned k_directory_mode = 0755;  // other programs may serve the tree
constexpr unsigned k_staging_mode = 0600;    // nobody reads what is not whole
constexpr unsigned k_sealed_mode = 0444;

FileStatus to_status(const struct stat& raw) {
  FileStatus status;
  if (S_ISREG(raw.st_mode)) status.type = FileType::file;
  if (S_ISDIR(raw.st_mode)) status.type = FileType::directory;
  if (S_ISLNK(raw.st_mode)) status.type = FileType::symlink;
  status.size = static_cast<std::uint64_t>(raw.st_size);
  status.inode = raw.st_ino;
  status.links = raw.st_nlink;
  status.mode = raw.st_mode & 07777;
  status.owner = raw.st_uid;
  status.modified = raw.st_mtim.tv_sec;
  status.changed = raw.st_ctim.tv_sec * 1'000'000'000 + raw.st_ctim.tv_nsec;
  return status;
}

// Points into `path`.
const char* last_component(const std::string& path) {
  return path.c_str() + path.rfind('/') + 1;
}

// Past `bytes` of what is left from `first` on.
void skip(std::vector<iovec>& left, std::size_t& first, std::size_t bytes) {
  while (first < left.size() && bytes >= left[first].iov_len) bytes -= left[first++].iov_len;
  if (bytes == 0) return;
  left[first].iov_base = static_cast<std::byte*>(left[first].iov_base) + bytes;
  left[first].iov_len -= bytes;
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<void> append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return posix_error("write", path_, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<void> write_pieces_at(std::uint64_t offset, std::span<const Piece> pieces) override {
    std::vector<iovec> left;
    left.reserve(pieces.size());
    for (const Piece& each : pieces)
      if (!each.empty()) left.push_back({const_cast<std::byte*>(each.data()), each.size()});
    for (std::size_t first = 0; first < left.size();) {
      const auto count = static_cast<int>(std::min<std::size_t>(left.size() - first, IOV_MAX));
      const ssize_t written =
          ::pwritev(descriptor_.get(), left.data() + first, count, static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return posix_error("write", path_, errno);
      offset += static_cast<std::uint64_t>(written);
      skip(left, first, static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) override {
    std::size_t filled = 0;
    while (filled < buffer.size()) {
      const auto rest = buffer.subspan(filled);
      const ssize_t count =
          ::pread(descriptor_.get(), rest.data(), rest.size(), static_cast<off_t>(offset + filled));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return posix_error("read", path_, errno);
      if (count == 0) break;
      filled += static_cast<std::size_t>(count);
    }
    return filled;
  }

  // fdatasync would do for bytes and size, but the mode set by seal() has to last, too.
  Result<void> sync() override {
    if (::fsync(descriptor_.get()) != 0) return posix_error("sync", path_, errno);
    return {};
  }

  Result<void> sync_around() override {
    if (::syncfs(descriptor_.get()) != 0) return posix_error("sync", "the file system of " + path_, errno);
    return {};
  }

  Result<void> sync_data() override {
    if (::fdatasync(descriptor_.get()) != 0) return posix_error("sync", path_, errno);
    return {};
  }

  Result<void> seal() override {
    if (::fchmod(descriptor_.get(), k_sealed_mode) != 0) return posix_error("make read-only", path_, errno);
    return {};
  }

  Result<FileStatus> status() override {
    struct stat raw;
    if (::fstat(descriptor_.get(), &raw) != 0) return posix_error("examine", path_, errno);
    return to_status(raw);
  }

  int descriptor() const override { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
  std::string path_;
};

// Walks component by component where openat2 is missing (before Linux 5.6, or
// hidden by a sandbox that answers ENOSYS or EPERM).
Descriptor open_by_component(int root, const std::string& path, int flags, unsigned mode) {
  Descriptor directory(::openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string_view rest = path;
  for (auto slash = rest.find('/'); directory && slash != std::string_view::npos; slash = rest.find('/')) {
    const std::string component(rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
    directory = Descriptor(
        ::openat(directory.get(), component.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!directory) return Descriptor();
  const std::string component(rest.empty() ? std::string_view(".") : rest);
  return Descriptor(::openat(directory.get(), component.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
}

Descriptor open_beneath(int root, const std::string& path, int flags, unsigned mode) {
  static std::atomic<bool> has_openat2{true};
  if (has_openat2.load(std::memory_order_relaxed)) {
    struct open_how how = {};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const char* const name = path.empty() ? "." : path.c_str();
    long fd = 0;
    do {  // EAGAIN: something was renamed during the walk
      fd = ::syscall(SYS_openat2, root, name, &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return Descriptor(static_cast<int>(fd));
    if (errno == ENOSYS) has_openat2.store(false, std::memory_order_relaxed);
  }
  return open_by_component(root, path, flags, mode);
}

}  // namespace

Result<std::unique_ptr<PosixFileSystem>> PosixFileSystem::open_root(const std::filesystem::path& root,
                                                                    std::vector<std::string> steady) {
  Descriptor descriptor(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor) return posix_error("open directory", root.string(), errno);
  return std::unique_ptr<PosixFileSystem>(new PosixFileSystem(std::move(descriptor), std::move(steady)));
}

Descriptor PosixFileSystem::resolve(const std::string& path, int flags, unsigned mode) const {
  return open_beneath(root_.get(), path, flags, mode);
}

PosixFileSystem::Directory PosixFileSystem::directory_of(const std::string& path) {
  const std::string directory = parent_of(path);
  if (is_steady(directory)) return kept(directory);
  Descriptor descriptor = resolve(directory, O_PATH | O_DIRECTORY);
  return descriptor ? std::make_shared<const Descriptor>(std::move(descriptor)) : nullptr;
}

bool PosixFileSystem::is_steady(std::string_view directory) const {
  const auto slash = directory.rfind('/');
  const std::string_view above = slash == std::string_view::npos ? directory : directory.substr(0, slash);
  return std::any_of(steady_.begin(), steady_.end(),
                     [&](const std::string& each) { return each == directory || each == above; });
}

// Opening a directory is a walk from the root, and dearer than what an upload does in it.
PosixFileSystem::Directory PosixFileSystem::kept(const std::string& directory) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(directory);
    if (found != kept_.end()) return found->second;
  }
  Descriptor descriptor = resolve(directory, O_PATH | O_DIRECTORY);
  if (!descriptor) return nullptr;
  auto opened = std::make_shared<const Descriptor>(std::move(descriptor));
  const std::lock_guard lock(mutex_);
  if (kept_.size() < k_most_kept) kept_.insert_or_assign(directory, opened);
  return opened;
}

void PosixFileSystem::forget(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  kept_.erase(directory);
}

// Nobody of ours removes one that is kept; somebody else may have, and made it anew.
bool PosixFileSystem::forget_removed(const std::string& directory, const Descriptor& open) {
  struct stat raw;
  const bool removed = is_steady(directory) && ::fstat(open.get(), &raw) == 0 && raw.st_nlink == 0;
  if (removed) forget(directory);
  errno = ENOENT;
  return removed;
}

Result<Descriptor> PosixFileSystem::create_new(const std::string& path, int flags, unsigned mode) {
  flags |= O_CREAT | O_EXCL | O_CLOEXEC;  // O_EXCL: follows no link
  Directory above = directory_of(path);
  if (!above) return posix_error("create", path, errno);
  Descriptor descriptor(::openat(above->get(), last_component(path), flags, mode));
  if (!descriptor && errno == ENOENT && forget_removed(parent_of(path), *above)) {
    above = directory_of(path);
    if (!above) return posix_error("create", path, errno);
    descriptor = Descriptor(::openat(above->get(), last_component(path), flags, mode));
  }
  if (!descriptor) return posix_error("create", path, errno);
  return descriptor;
}

Result<std::unique_ptr<File>> PosixFileSystem::create(const std::string& path) {
  LARDER_TRY_ASSIGN(Descriptor descriptor, create_new(path, O_RDWR | O_APPEND, k_staging_mode));
  return std::unique_ptr<File>(new PosixFile(std::move(descriptor), path));
}

Result<void> PosixFileSystem::create_whole(const std::string& path, std::span<const std::byte> bytes) {
  LARDER_TRY_ASSIGN(Descriptor descriptor, create_new(path, O_WRONLY, k_sealed_mode));
  PosixFile file(std::move(descriptor), path);
  const Result<void> written = file.append(bytes);
  if (!written) (void)remove(path);
  return written;
}

Result<void> PosixFileSystem::create_reserve(const std::string& path, std::uint64_t bytes) {
  LARDER_TRY_ASSIGN(const Descriptor descriptor, create_new(path, O_WRONLY, k_staging_mode));
  // Not posix_fallocate(3), which writes where the file system cannot.
  int result = 0;
  do {
    result = ::fallocate(descriptor.get(), 0, 0, static_cast<off_t>(bytes));
  } while (result != 0 && errno == EINTR);
  int failure = result == 0 ? 0 : errno;
  struct stat raw = {};
  // Where it says yes and takes nothing (OpenZFS), there is no reserve.
  const bool taken = failure == 0 && ::fstat(descriptor.get(), &raw) == 0 &&
                     static_cast<std::uint64_t>(raw.st_blocks) * 512 >= bytes;
  if (taken) return {};
  if (failure == 0) failure = EOPNOTSUPP;
  (void)remove(path);
  return posix_error("reserve", path, failure);
}

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path) {
  // O_NONBLOCK: a pipe planted in the tree must not hold the thread.
  Descriptor descriptor = resolve(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!descriptor) return posix_error("open", path, errno);
  auto file = std::unique_ptr<File>(new PosixFile(std::move(descriptor), path));
  LARDER_TRY_ASSIGN(const FileStatus status, file->status());
  if (status.type != FileType::file)
    return Error(Errc::conflict, "cannot open " + path + ": it is not a regular file");
  return file;
}

Result<std::unique_ptr<File>> PosixFileSystem::open_to_overwrite(const std::string& path) {
  Descriptor descriptor = resolve(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, k_staging_mode);
  if (!descriptor) return posix_error("open", path, errno);
  auto file = std::unique_ptr<File>(new PosixFile(std::move(descriptor), path));
  LARDER_TRY_ASSIGN(const FileStatus status, file->status());
  if (status.type != FileType::file)
    return Error(Errc::conflict, "cannot open " + path + ": it is not a regular file");
  return file;
}

Result<FileStatus> PosixFileSystem::status(const std::string& path) {
  Directory directory = directory_of(path);
  if (!directory) return posix_error("examine", path, errno);
  struct stat raw;
  const char* const name = path.empty() ? "." : last_component(path);
  int result = ::fstatat(directory->get(), name, &raw, AT_SYMLINK_NOFOLLOW);
  if (result != 0 && errno == ENOENT && forget_removed(parent_of(path), *directory)) {
    directory = directory_of(path);
    if (!directory) return posix_error("examine", path, errno);
    result = ::fstatat(directory->get(), name, &raw, AT_SYMLINK_NOFOLLOW);
  }
  if (result != 0) return posix_error("examine", path, errno);
  return to_status(raw);
}

Result<void> PosixFileSystem::link(const std::string& from, const std::string& to) {
  const Directory source = directory_of(from);
  if (!source) return posix_error("link", from, errno);
  const Directory target = directory_of(to);
  if (!target) return posix_error("link", to, errno);
  if (::linkat(source->get(), last_component(from), target->get(), last_component(to), 0) != 0)
    return posix_error("link", to, errno);
  return {};
}

Result<void> PosixFileSystem::link_file(File& file, const std::string& to) {
  const Directory target = directory_of(to);
  if (!target) return posix_error("link", to, errno);
  // AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH; the magic link does not (open(2), O_TMPFILE).
  char source[32];
  std::snprintf(source, sizeof source, "/proc/self/fd/%d", file.descriptor());
  if (::linkat(AT_FDCWD, source, target->get(), last_component(to), AT_SYMLINK_FOLLOW) != 0)
    return posix_error("link", to, errno);
  return {};
}

Result<void> PosixFileSystem::publish(const std::string& from, const std::string& to) {
  const Directory source = directory_of(from);
  if (!source) return posix_error("publish", from, errno);
  const Directory target = directory_of(to);
  if (!target) return posix_error("publish", to, errno);
  const char* const old_name = last_component(from);
  const char* const new_name = last_component(to);
  if (::renameat2(source->get(), old_name, target->get(), new_name, RENAME_NOREPLACE) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return posix_error("publish", to, errno);

  // A file system that cannot rename without replacing: link is as exclusive.
  if (::linkat(source->get(), old_name, target->get(), new_name, 0) != 0)
    return posix_error("publish", to, errno);
  if (::unlinkat(source->get(), old_name, 0) != 0) return posix_error("remove", from, errno);
  return {};
}

Result<void> PosixFileSystem::replace(const std::string& from, const std::string& to) {
  const Directory source = directory_of(from);
  if (!source) return posix_error("rename", from, errno);
  const Directory target = directory_of(to);
  if (!target) return posix_error("rename", to, errno);
  const char* const old_name = last_component(from);
  if (::renameat(source->get(), old_name, target->get(), last_component(to)) != 0)
    return posix_error("rename", to, errno);
  // rename(2) between two names of one inode succeeds and leaves both.
  if (::unlinkat(source->get(), old_name, 0) != 0 && errno != ENOENT)
    return posix_error("remove", from, errno);
  return {};
}

Result<void> PosixFileSystem::remove(const std::string& path) {
  const Directory directory = directory_of(path);
  if (!directory) return posix_error("remove", path, errno);
  if (::unlinkat(directory->get(), last_component(path), 0) != 0) return posix_error("remove", path, errno);
  return {};
}

Result<void> PosixFileSystem::make_directory(const std::string& path) {
  const Directory directory = directory_of(path);
  if (!directory) return posix_error("make directory", path, errno);
  forget(path);  // whoever wants it missed it
  if (::mkdirat(directory->get(), last_component(path), k_directory_mode) != 0)
    return posix_error("make directory", path, errno);
  return {};
}

Result<void> PosixFileSystem::remove_directory(const std::string& path) {
  const Directory directory = directory_of(path);
  if (!directory) return posix_error("remove directory", path, errno);
  forget(path);
  if (::unlinkat(directory->get(), last_component(path), AT_REMOVEDIR) != 0)
    return posix_error("remove directory", path, errno);
  return {};
}

Result<void> PosixFileSystem::sync_directory(const std::string& path) {
  // Opened anew, also where it is kept: of several who share a descriptor one alone is told of a failed
  // write.
  const Descriptor directory = resolve(path, O_RDONLY | O_DIRECTORY);
  if (!directory) return posix_error("open directory", path, errno);
  if (::fsync(directory.get()) != 0) return posix_error("sync directory", path, errno);
  return {};
}

Result<void> PosixFileSystem::sync_all() {
  if (::syncfs(root_.get()) != 0) return posix_error("sync", "the data directory's file system", errno);
  return {};
}

Result<void> PosixFileSystem::list(const std::string& path,
                                   const std::function<bool(const DirectoryEntry&)>& visit) {
  const Descriptor directory = resolve(path, O_RDONLY | O_DIRECTORY);
  if (!directory) return posix_error("list", path, errno);
  const int stream_descriptor = ::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0);
  DIR* const raw_stream = stream_descriptor < 0 ? nullptr : ::fdopendir(stream_descriptor);
  if (raw_stream == nullptr) {
    const int failure = errno;
    if (stream_descriptor >= 0) ::close(stream_descriptor);
    return posix_error("list", path, failure);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(raw_stream, &::closedir);

  while (true) {
    errno = 0;
    const dirent* const raw = ::readdir(stream.get());
    if (raw == nullptr && errno != 0) return posix_error("list", path, errno);
    if (raw == nullptr) return {};
    DirectoryEntry entry;
    entry.name = raw->d_name;
    if (entry.name == "." || entry.name == "..") continue;
    if (raw->d_type == DT_REG) entry.type = FileType::file;
    if (raw->d_type == DT_DIR) entry.type = FileType::directory;
    if (raw->d_type == DT_LNK) entry.type = FileType::symlink;
    if (raw->d_type == DT_UNKNOWN) {  // some file systems do not say
      struct stat details;
      if (::fstatat(directory.get(), raw->d_name, &details, AT_SYMLINK_NOFOLLOW) == 0)
        entry.type = to_status(details).type;
    }
    if (!visit(entry)) return {};
  }
}

Result<DiskSpace> PosixFileSystem::space() {
  struct statvfs raw;
  if (::fstatvfs(root_.get(), &raw) != 0) return posix_error("examine", "the data directory's disk", errno);
  DiskSpace space;
  space.total_bytes = static_cast<std::uint64_t>(raw.f_blocks) * raw.f_frsize;
  space.free_bytes = static_cast<std::uint64_t>(raw.f_bavail) * raw.f_frsize;
  space.total_inodes = raw.f_files;
  space.free_inodes = raw.f_favail;
  return space;
}

}  // namespace larder
