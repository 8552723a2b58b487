#include "server/store/file_copy.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace larder {
namespace {

// Neither copy_file_range(2) nor FICLONE write to a file opened for appending.
void stop_appending(File& file) {
  const int flags = ::fcntl(file.descriptor(), F_GETFL);
  if (flags >= 0) (void)::fcntl(file.descriptor(), F_SETFL, flags & ~O_APPEND);
}

// False when the kernel will not do it for these two files; nothing has been written then.
Result<bool> copy_in_kernel(File& from, File& to) {
  if (from.descriptor() < 0 || to.descriptor() < 0) return false;
  stop_appending(to);
  constexpr std::size_t k_piece = std::size_t{1} << 30;
  loff_t read_to = 0;
  loff_t written_to = 0;
  while (true) {
    const ssize_t count =
        ::copy_file_range(from.descriptor(), &read_to, to.descriptor(), &written_to, k_piece, 0);
    if (count == 0) return true;
    if (count > 0 || errno == EINTR) continue;
    if (written_to == 0 && errno != ENOSPC && errno != EIO) return false;
    return posix_error("copy", "a file", errno);
  }
}

}  // namespace

Result<void> copy_content(File& from, File& to) {
  LARDER_TRY_ASSIGN(const bool copied, copy_in_kernel(from, to));
  if (copied) return {};
  constexpr std::size_t k_piece = 256 << 10;
  std::vector<std::byte> buffer(k_piece);
  for (std::uint64_t offset = 0;;) {
    LARDER_TRY_ASSIGN(const std::size_t count, from.read_at(offset, buffer));
    if (count == 0) return {};
    LARDER_TRY(to.append(std::span(buffer).first(count)));
    offset += count;
  }
}

Result<void> clone_content(File& from, File& to) {
  if (from.descriptor() >= 0 && to.descriptor() >= 0) {
    stop_appending(to);
    if (::ioctl(to.descriptor(), FICLONE, from.descriptor()) == 0) return {};
    if (errno != EOPNOTSUPP && errno != EXDEV && errno != EINVAL && errno != ENOTTY)
      return posix_error("clone", "a file", errno);
  }
  return Error(Errc::not_supported,
               "the file system of the directory and of the data has no reflinks, or they "
               "are two; take hard links or --copy");
}

Result<void> set_modified(File& file, UnixSeconds modified) {
  if (file.descriptor() < 0) return {};
  const timespec times[2] = {{0, UTIME_OMIT}, {modified, 0}};
  if (::futimens(file.descriptor(), times) != 0) return posix_error("set the time of", "a file", errno);
  return {};
}

}  // namespace larder
