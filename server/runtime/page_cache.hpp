// What of a file can be had without waiting for the disk, and fetching the rest.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

namespace larder {

// How closely a file has to be looked at while it is sent: from its beginning, which the kernel's
// own reading ahead makes warmer than the rest, ever less as long as nothing of it was cold.
class WarmthProbe {
 public:
  // Whether the bytes of a window can be had without waiting, as far as a look here and there tells.
  // File systems that cannot tell (tmpfs) count as warm.
  bool is_warm(int file, std::uint64_t offset, std::uint64_t length);
  bool always() const { return always_; }  // nothing was cold

 private:
  std::uint64_t stride_ = k_closest;
  bool always_ = true;

  static constexpr std::uint64_t k_closest = 256 << 10;  // bytes; a look costs up to a microsecond
  static constexpr std::uint64_t k_widest = 2 << 20;
};

// Brings a window into the page cache. Waits for the disk; false: it cannot be read.
bool warm_up(int file, std::uint64_t offset, std::uint64_t length);

// As pread(); -1 with EAGAIN: not without waiting for the disk.
ssize_t read_cached(int file, std::span<char> into, std::uint64_t offset);
// The same, and waits.
ssize_t read_patiently(int file, std::span<char> into, std::uint64_t offset);

}  // namespace larder
