#include "server/store/reserve.hpp"

#include "server/store/index.hpp"
#include "server/store/layout.hpp"

namespace larder {
namespace {

Result<void> remove_reserve(FileSystem& disk) {
  const auto removed = disk.remove(layout::k_reserve);
  return removed || removed.error().code() == Errc::not_found ? Result<void>() : removed;
}

}  // namespace

Result<void> give_up_reserve(FileSystem& disk, const std::filesystem::path& index) {
  LARDER_TRY_ASSIGN(const DiskSpace space, disk.space());
  if (space.free_bytes >= k_reserve_bytes || Index::is_open_elsewhere(index)) return {};
  return remove_reserve(disk);
}

Result<void> keep_reserve(FileSystem& disk, ByteSize free_space_floor) {
  const auto status = disk.status(layout::k_reserve);
  if (status && status->size == k_reserve_bytes) return {};
  LARDER_TRY_ASSIGN(const DiskSpace space, disk.space());
  constexpr std::uint64_t k_part = 64;  // of the disk, at most
  const bool small = space.total_bytes / k_part < k_reserve_bytes;
  if (small || space.free_bytes < 2 * k_reserve_bytes) return {};
  if (space.free_bytes - 2 * k_reserve_bytes < free_space_floor.bytes) return {};
  LARDER_TRY(remove_reserve(disk));  // a crash cut it off
  return disk.create_reserve(layout::k_reserve, k_reserve_bytes);
}

}  // namespace larder
