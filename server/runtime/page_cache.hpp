// What of a file can be had without waiting for the disk, and fetching the rest.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

namespace larder {

// Whether the bytes of a window can be had without waiting. File systems that cannot
// tell (tmpfs) count as warm.
bool is_warm(int file, std::uint64_t offset, std::uint64_t length);

// Brings a window into the page cache. Waits for the disk; false: it cannot be read.
bool warm_up(int file, std::uint64_t offset, std::uint64_t length);

// As pread(); -1 with EAGAIN: not without waiting for the disk.
ssize_t read_cached(int file, std::span<char> into, std::uint64_t offset);
// The same, and waits.
ssize_t read_patiently(int file, std::span<char> into, std::uint64_t offset);

}  // namespace larder
