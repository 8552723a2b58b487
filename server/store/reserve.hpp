// Room on the disk that is kept for the index: `<data>/reserve`, a file of nothing. Opened after an unclean
// stop the index writes what its log holds, and RocksDB (7.8) ends the process where the disk has no room for
// that. So the reserve is given up before, on a disk that is full, and made again once there is room.
// Blocking.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/result.hpp"
#include "common/units.hpp"
#include "server/store/file_system.hpp"

namespace larder {

// The index's log has up to 64 MiB, which become tables while there is a new log.
inline constexpr std::uint64_t k_reserve_bytes = 128 << 20;

// Before the index in `index` is opened. Nothing happens while another process has that open, whose reserve
// it is.
Result<void> give_up_reserve(FileSystem& disk, const std::filesystem::path& index);
// Makes it, when it is not there: on a disk of which it is a small part, and as long as the floor and as much
// again as it takes stay free. Errc::not_supported where the file system cannot.
Result<void> keep_reserve(FileSystem& disk, ByteSize free_space_floor);

}  // namespace larder
