#include "server/store/quota.hpp"

#include <algorithm>
#include <utility>

namespace larder {

Quota::Reservation::Reservation(Reservation&& other) noexcept
    : quota_(std::exchange(other.quota_, nullptr)),
      name_space_(std::move(other.name_space_)),
      bytes_(std::exchange(other.bytes_, 0)),
      written_(std::exchange(other.written_, 0)),
      inodes_(std::exchange(other.inodes_, 0)) {}

Quota::Reservation& Quota::Reservation::operator=(Reservation&& other) noexcept {
  std::swap(quota_, other.quota_);
  std::swap(name_space_, other.name_space_);
  std::swap(bytes_, other.bytes_);
  std::swap(written_, other.written_);
  std::swap(inodes_, other.inodes_);
  return *this;
}

Quota::Reservation::~Reservation() {
  if (quota_ == nullptr) return;
  quota_->give_back(name_space_, bytes_, bytes_ - written_);
  quota_->give_back_inodes(inodes_);
}

Result<void> Quota::Reservation::grow(std::uint64_t bytes) {
  LARDER_TRY(quota_->take(name_space_, {bytes, 0}));
  bytes_ += bytes;
  return {};
}

void Quota::Reservation::written(std::uint64_t bytes) {
  const std::uint64_t counted = std::min(bytes, bytes_ - written_);
  written_ += counted;
  quota_->give_back(name_space_, 0, counted);
}

void Quota::Reservation::shrink_to_written() {
  if (quota_ == nullptr) return;
  quota_->give_back(name_space_, bytes_ - written_, bytes_ - written_);
  bytes_ = written_;
}

Result<Quota::Reservation> Quota::reserve(const std::string& name_space, Room room) {
  Reservation reservation(*this, name_space);
  LARDER_TRY(take(name_space, room));
  reservation.bytes_ = room.bytes;
  reservation.inodes_ = room.inodes;
  return reservation;
}

std::uint64_t Quota::reserved() const {
  const std::lock_guard lock(mutex_);
  return reserved_in_all_;
}

Result<void> Quota::take(const std::string& name_space, Room room) {
  LARDER_TRY_ASSIGN(const DiskSpace disk, sources_.disk_space());
  const std::uint64_t used = sources_.used_bytes(name_space);

  const std::lock_guard lock(mutex_);
  LARDER_TRY(check_bytes(disk, room.bytes));
  LARDER_TRY(check_inodes(disk, room.inodes));
  LARDER_TRY(check_limit(name_space, used, room.bytes));
  reserved_in_all_ += room.bytes;
  reserved_inodes_ += room.inodes;
  reserved_[name_space] += room.bytes;
  return {};
}

Result<void> Quota::check_bytes(const DiskSpace& disk, std::uint64_t bytes) {
  const std::uint64_t free = disk.free_bytes;
  const std::uint64_t wanted = reserved_in_all_ + bytes;
  if (wanted >= bytes && free >= floor_.bytes && free - floor_.bytes >= wanted) return {};
  note_refused("", {bytes, 0});
  return Error(Errc::no_space, "the disk is full: " + human_size(free) + " are free, of which " +
                                   human_size(floor_.bytes) + " are kept (free_space_floor) and " +
                                   human_size(reserved_in_all_) + " promised to other uploads; " +
                                   human_size(bytes) + " are asked for");
}

// What goes on, and asks for none, is not cut off.
Result<void> Quota::check_inodes(const DiskSpace& disk, std::uint64_t inodes) {
  if (inodes == 0 || floor_.inodes == 0 || disk.total_inodes == 0) return {};
  if (disk.free_inodes >= floor_.inodes + reserved_inodes_ + inodes) return {};
  note_refused("", {0, reserved_inodes_ + inodes});  // what comes together is refused together
  return Error(Errc::no_space, "the disk has too few inodes: " + std::to_string(disk.free_inodes) +
                                   " are free, of which " + std::to_string(floor_.inodes) +
                                   " are kept (free_inode_floor) and " + std::to_string(reserved_inodes_) +
                                   " promised to other uploads; " + std::to_string(inodes) +
                                   " may be needed");
}

Result<void> Quota::check_limit(const std::string& name_space, std::uint64_t used, std::uint64_t bytes) {
  const auto limit = limits_.find(name_space);
  if (limit == limits_.end() || limit->second.bytes == 0) return {};
  const std::uint64_t wanted = reserved_[name_space] + bytes;
  if (used <= limit->second.bytes && limit->second.bytes - used >= wanted) return {};
  note_refused(name_space, {bytes, 0});
  return Error(Errc::no_space, "namespace " + name_space + " is full: " + human_size(used) + " of " +
                                   human_size(limit->second.bytes) + " (max_size) are used; " +
                                   human_size(bytes) + " are asked for");
}

void Quota::note_refused(const std::string& where, Room room) {
  Room& largest = refused_[where];
  largest.bytes = std::max(largest.bytes, room.bytes);
  largest.inodes = std::max(largest.inodes, room.inodes);
}

Quota::Room Quota::take_refused(const std::string& name_space) {
  const std::lock_guard lock(mutex_);
  const auto found = refused_.find(name_space);
  return found == refused_.end() ? Room() : std::exchange(found->second, Room());
}

void Quota::give_back(const std::string& name_space, std::uint64_t bytes, std::uint64_t unwritten) {
  const std::lock_guard lock(mutex_);
  reserved_in_all_ -= unwritten;
  reserved_[name_space] -= bytes;
}

void Quota::give_back_inodes(std::uint64_t inodes) {
  const std::lock_guard lock(mutex_);
  reserved_inodes_ -= inodes;
}

}  // namespace larder
