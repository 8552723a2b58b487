// Room on the disk that is kept for the index: `<data>/reserve`, a file of nothing. Opened after an unclean
// stop the index writes what its log holds, and RocksDB (7.8) ends the process where the disk has no room for
// that. So the reserve is given up before, on a disk that is full, and made again once there is room.
// Blocking.
#pragma once

#include <cstdint>

#include "common/result.hpp"
#include "common/units.hpp"
#include "server/store/file_system.hpp"

namespace larder {

// The index's log has up to 64 MiB, which it writes a second time.
inline constexpr std::uint64_t k_reserve_bytes = 128 << 20;

// Before the index is opened.
Result<void> give_up_reserve(FileSystem& disk);
// Makes it, when it is not there: on a disk of which it is a small part, and as long as twice the floor
// stays free. Errc::not_supported where the file system cannot.
Result<void> keep_reserve(FileSystem& disk, ByteSize free_space_floor);

}  // namespace larder
