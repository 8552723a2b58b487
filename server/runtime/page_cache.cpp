#include "server/runtime/page_cache.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace larder {
namespace {

bool is_warm(int file, std::uint64_t offset) {
  char byte = 0;
  iovec target = {&byte, 1};
  const ssize_t count = ::preadv2(file, &target, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  return count >= 0 || errno != EAGAIN;
}

// Pages are looked at here and there, since the kernel's own reading ahead makes the
// first one warm and not the others.
bool is_warm(int file, std::uint64_t offset, std::uint64_t length, std::uint64_t stride) {
  for (std::uint64_t probe = 0; probe < length; probe += stride) {
    if (!is_warm(file, offset + probe)) return false;
  }
  return is_warm(file, offset + length - 1);
}

}  // namespace

bool WarmthProbe::is_warm(int file, std::uint64_t offset, std::uint64_t length) {
  const bool warm = larder::is_warm(file, offset, length, stride_);
  always_ = always_ && warm;
  stride_ = warm ? std::min(2 * stride_, k_widest) : k_closest;
  return warm;
}

bool warm_up(int file, std::uint64_t offset, std::uint64_t length) {
  std::vector<char> scratch(128 << 10);
  ::posix_fadvise(file, static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
  for (std::uint64_t done = 0; done < length;) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(scratch.size(), length - done));
    const ssize_t count = ::pread(file, scratch.data(), wanted, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::uint64_t>(count);
  }
  return true;
}

ssize_t read_cached(int file, std::span<char> into, std::uint64_t offset) {
  const iovec target = {into.data(), into.size()};
  const ssize_t count = ::preadv2(file, &target, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  if (count >= 0 || errno != EOPNOTSUPP) return count;
  return ::pread(file, into.data(), into.size(), static_cast<off_t>(offset));
}

ssize_t read_patiently(int file, std::span<char> into, std::uint64_t offset) {
  ::posix_fadvise(file, static_cast<off_t>(offset), 512 << 10, POSIX_FADV_WILLNEED);
  while (true) {
    const ssize_t count = ::pread(file, into.data(), into.size(), static_cast<off_t>(offset));
    if (count >= 0 || errno != EINTR) return count;
  }
}

}  // namespace larder
