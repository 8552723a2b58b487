// Space and inodes are promised before the first byte of an upload is taken, so that
// a full disk is an answer at the start and not an accident in the middle.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "common/result.hpp"
#include "common/units.hpp"
#include "server/store/file_system.hpp"

namespace larder {

class Quota {
 public:
  struct Room {
    std::uint64_t bytes = 0;
    std::uint64_t inodes = 0;
    bool operator==(const Room&) const = default;
  };
  struct Sources {  // asked at every reservation
    std::function<Result<DiskSpace>()> disk_space;
    std::function<std::uint64_t(const std::string&)> used_bytes;  // physical, of a namespace
  };
  using Limits = std::map<std::string, ByteSize>;  // by namespace; 0 or absent: no limit

  // `floor` stays free of the disk. Of inodes 0: they are not looked at.
  Quota(Room floor, Limits limits, Sources sources)
      : floor_(floor), limits_(std::move(limits)), sources_(std::move(sources)) {}

  // Holds its room until it is destroyed.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(Reservation&& other) noexcept;
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation();

    Result<void> grow(std::uint64_t bytes);  // Errc::no_space leaves it as it is
    // `bytes` of it are on the disk now: its free space says so by itself, the namespace's
    // use does not before the upload is committed.
    void written(std::uint64_t bytes);
    void shrink_to_written();  // gives back what nothing has been written to
    std::uint64_t bytes() const { return bytes_; }

   private:
    friend class Quota;
    Reservation(Quota& quota, std::string name_space) : quota_(&quota), name_space_(std::move(name_space)) {}

    Quota* quota_ = nullptr;
    std::string name_space_;
    std::uint64_t bytes_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t inodes_ = 0;  // all of them to its end: which are on the disk already, nobody asks
  };

  Result<Reservation> reserve(const std::string& name_space, Room room);
  // The most that was asked for at once since the last call, and that the namespace (or with "", the disk)
  // had no room for.
  Room take_refused(const std::string& name_space);
  std::uint64_t reserved() const;  // bytes, all namespaces, and not yet written

 private:
  Result<void> take(const std::string& name_space, Room room);
  Result<void> check_bytes(const DiskSpace& disk, std::uint64_t bytes);
  Result<void> check_inodes(const DiskSpace& disk, std::uint64_t inodes);
  Result<void> check_limit(const std::string& name_space, std::uint64_t used, std::uint64_t bytes);
  void note_refused(const std::string& where, Room room);
  void give_back(const std::string& name_space, std::uint64_t bytes, std::uint64_t unwritten);
  void give_back_inodes(std::uint64_t inodes);

  const Room floor_;
  const Limits limits_;
  const Sources sources_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> reserved_;
  std::map<std::string, Room> refused_;
  std::uint64_t reserved_in_all_ = 0;  // not yet written
  std::uint64_t reserved_inodes_ = 0;
};

}  // namespace larder
