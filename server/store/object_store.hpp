// Contents by digest: objects/ab/<sha256>, one sealed inode for each, and more
// than one (.1, .2 …) only where the file system limits the links of an inode
// (65,000 on ext4, soon reached by the archive of an empty directory). The link
// count is the reference count: one means that no name is left.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/digest.hpp"
#include "common/result.hpp"
#include "server/store/file_system.hpp"
#include "server/store/lock_table.hpp"

namespace larder {

class ObjectStore {
 public:
  explicit ObjectStore(FileSystem& disk) : disk_(disk) {}

  // Gives the caller's bytes the path asked for, without replacing what is there.
  using Place = std::function<Result<void>(const std::string& path)>;

  struct Linked {
    bool new_content = false;              // the bytes were not stored before
    std::vector<std::string> directories;  // that have a new entry, to be synced by policy
  };

  // Makes `name` one more link to the content, `size` bytes. `place` is called when there is
  // no inode with room: its bytes then become the object. Errc::exists when
  // `name` is taken; then, as on any failure, what was new is taken back.
  // Guess::new_content: it costs `place` nothing to be told that the object is there, so it is tried first.
  enum class Guess { nothing, new_content };
  Result<Linked> link(const Digest& digest, std::uint64_t size, const Place& place, const std::string& name,
                      Guess guess = Guess::nothing);

  // Which of the inodes of this content it is, 0 the first; nothing: it is not filed under this digest.
  std::optional<unsigned> copy_of(const Digest& digest, std::uint64_t inode);
  bool holds(const Digest& digest, std::uint64_t inode) { return copy_of(digest, inode).has_value(); }
  // Takes an inode whose bytes are wrong off the content it was filed under and puts it to `to`: no further
  // name is given it, and at no time it is in neither place, so what it was filed under stays known. Names
  // keep it; `gone` as for collect(). Errc::not_found when it is not filed there (any more).
  Result<void> condemn(const Digest& digest, std::uint64_t inode, const std::string& to,
                       const std::function<void()>& gone);

  // Takes the inodes that are not among `whole` off this content: away, or to where `aside` says while there
  // are names that lead to them.
  Result<void> keep_whole(const Digest& digest, const std::unordered_set<std::uint64_t>& whole,
                          const std::function<std::string()>& aside);

  // Where `path`, an object of this content, is from now on: it takes the first number that is free before
  // it, which a crash may have left. Behind a number that is missing nobody looks.
  Result<std::string> close_gap(const Digest& digest, const std::string& path);

  // Names of the content, in all of the data directory; 0 when it is not stored.
  Result<std::uint64_t> count_names(const Digest& digest);

  // Whether some inode of this content has no name, and is not just being given one.
  Result<bool> has_unused(const Digest& digest);
  // Calls `act` when the content is stored; it stays stored, or away, meanwhile.
  Result<void> while_stored(const Digest& digest, const std::function<Result<void>()>& act);
  // Frees the inodes that have no name left. Calls `gone` when none remains,
  // before anybody can store the content anew.
  Result<void> collect(const Digest& digest, const std::function<void()>& gone);

  // Whether hard links work on this disk at all; a sentence for the admin if not.
  Result<void> probe_links();

 private:
  Result<void> place_in_directory(const Digest& digest, const Place& place, const std::string& object);
  Result<void> link_into(const std::string& object, const std::string& name);
  Result<unsigned> count_copies(const Digest& digest);
  Result<void> remove_copy(const Digest& digest, unsigned copy, unsigned& copies);
  Result<void> set_copy_aside(const Digest& digest, unsigned copy, unsigned& copies, const std::string& to);

  FileSystem& disk_;
  LockTable<Digest> locks_;
};

}  // namespace larder
