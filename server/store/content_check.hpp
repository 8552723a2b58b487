// Reads contents back for a check: is it what its digest says, and can its archive
// be read to the end?
#pragma once

#include <string>

#include "server/store/scrub_pace.hpp"
#include "server/store/store_core.hpp"

namespace larder {

// Who reads it next gets what the disk has, not what memory made of it. What is not written yet stays.
void forget_cached(File& file);

class ContentCheck {
 public:
  ContentCheck(StoreCore& core, ScrubPace& pace) : core_(core), pace_(pace) {}

  struct Finding {
    enum class Kind { sound, differs, unreadable, moved } kind = Kind::sound;
    std::string detail;
    std::uint64_t bytes = 0;  // of the content
  };
  // The file at `path`, `inode`, against `digest`. What differs or does not read is read twice more, from the
  // disk. moved: the path leads elsewhere by now. Errors: cancelled, and what has nothing to do with the
  // file.
  Result<Finding> hash(const std::string& path, std::uint64_t inode, const Digest& digest);

  // Whether the archive at `path` is whole, and why not. Sound where there is nothing to check.
  Result<Finding> read_archive(const std::string& path);

 private:
  Result<Finding> hash_once(const std::string& path, std::uint64_t inode, const Digest& digest);

  StoreCore& core_;
  ScrubPace& pace_;
};

}  // namespace larder
