#include "server/store/quota.hpp"

#include <algorithm>
#include <utility>

namespace larder {

Quota::Reservation::Reservation(Reservation&& other) noexcept
    : quota_(std::exchange(other.quota_, nullptr)),
      name_space_(std::move(other.name_space_)),
      bytes_(std::exchange(other.bytes_, 0)),
      written_(std::exchange(other.written_, 0)) {}

Quota::Reservation& Quota::Reservation::operator=(Reservation&& other) noexcept {
  std::swap(quota_, other.quota_);
  std::swap(name_space_, other.name_space_);
  std::swap(bytes_, other.bytes_);
  std::swap(written_, other.written_);
  return *this;
}

Quota::Reservation::~Reservation() {
  if (quota_ != nullptr) quota_->give_back(name_space_, bytes_, bytes_ - written_);
}

Result<void> Quota::Reservation::grow(std::uint64_t bytes) {
  LARDER_TRY(quota_->take(name_space_, bytes));
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

Result<Quota::Reservation> Quota::reserve(const std::string& name_space, std::uint64_t bytes) {
  Reservation reservation(*this, name_space);
  LARDER_TRY(reservation.grow(bytes));
  return reservation;
}

std::uint64_t Quota::reserved() const {
  const std::lock_guard lock(mutex_);
  return reserved_in_all_;
}

Result<void> Quota::take(const std::string& name_space, std::uint64_t bytes) {
  LARDER_TRY_ASSIGN(const std::uint64_t free, sources_.free_bytes());
  const std::uint64_t used = sources_.used_bytes(name_space);

  const std::lock_guard lock(mutex_);
  const std::uint64_t wanted = reserved_in_all_ + bytes;
  const auto note_refused = [&](const std::string& where) {
    std::uint64_t& largest = refused_[where];
    largest = std::max(largest, bytes);
  };
  if (wanted < bytes || free < free_floor_.bytes || free - free_floor_.bytes < wanted) {
    note_refused("");
    return Error(Errc::no_space, "the disk is full: " + human_size(free) + " are free, of which " +
                                     human_size(free_floor_.bytes) + " are kept (free_space_floor) and " +
                                     human_size(reserved_in_all_) + " promised to other uploads; " +
                                     human_size(bytes) + " are asked for");
  }
  const auto limit = limits_.find(name_space);
  const std::uint64_t wanted_here = reserved_[name_space] + bytes;
  if (limit != limits_.end() && limit->second.bytes != 0 &&
      (used > limit->second.bytes || limit->second.bytes - used < wanted_here)) {
    note_refused(name_space);
    return Error(Errc::no_space, "namespace " + name_space + " is full: " + human_size(used) + " of " +
                                     human_size(limit->second.bytes) + " (max_size) are used; " +
                                     human_size(bytes) + " are asked for");
  }
  reserved_in_all_ = wanted;
  reserved_[name_space] = wanted_here;
  return {};
}

std::uint64_t Quota::take_refused(const std::string& name_space) {
  const std::lock_guard lock(mutex_);
  const auto found = refused_.find(name_space);
  return found == refused_.end() ? 0 : std::exchange(found->second, 0);
}

void Quota::give_back(const std::string& name_space, std::uint64_t bytes, std::uint64_t unwritten) {
  const std::lock_guard lock(mutex_);
  reserved_in_all_ -= unwritten;
  reserved_[name_space] -= bytes;
}

}  // namespace larder
