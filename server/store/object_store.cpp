#include "server/store/object_store.hpp"

#include <utility>

#include "server/store/layout.hpp"

namespace larder {
namespace {

bool is(const Result<void>& result, Errc code) {
  return !result && result.error().code() == code;
}

}  // namespace

Result<ObjectStore::Linked> ObjectStore::link(const Digest& digest, std::uint64_t size, const Place& place,
                                              const std::string& name, Guess guess) {
  const auto lock = locks_.lock(digest);
  Linked linked;
  bool placed = false;
  std::string object;
  for (unsigned copy = 0;;) {
    object = layout::object_path(digest, copy);
    Result<void> result = Error(Errc::not_found, "");
    if (guess == Guess::nothing) {
      const auto status = disk_.status(object);
      if (!status && status.error().code() != Errc::not_found) return status.error();
      if (status && status->size != size) {  // a crash before any sync: these are not the bytes
        unsigned copies = 0;
        LARDER_TRY_ASSIGN(copies, count_copies(digest));
        LARDER_TRY(remove_copy(digest, copy, copies));
        continue;
      }
      if (status) result = link_into(object, name);
    }
    if (is(result, Errc::not_found)) {  // no such copy: the caller's bytes become it
      const auto made = place_in_directory(digest, place, object);
      if (is(made, Errc::exists) && std::exchange(guess, Guess::nothing) == Guess::new_content) continue;
      if (!made) return made.error();
      placed = true;
      linked.new_content = copy == 0;
      linked.directories.push_back(layout::object_directory(digest));
      result = link_into(object, name);
    }
    if (is(result, Errc::too_many_links) && !placed) {
      ++copy;
      continue;
    }
    if (!result) {
      if (placed) (void)disk_.remove(object);  // reconcile collects what stays behind
      return result.error();
    }
    linked.directories.push_back(parent_of(name));
    return linked;
  }
}

Result<void> ObjectStore::place_in_directory(const Digest& digest, const Place& place,
                                             const std::string& object) {
  const Result<void> made = place(object);
  if (!is(made, Errc::not_found)) return made;
  LARDER_TRY(make_directories(disk_, layout::object_directory(digest)));  // it is the first one there
  return place(object);
}

// Errc::not_found: `object` is missing. Directories above `name` are made as
// needed; a removal next door may take an empty one away again, hence the tries.
Result<void> ObjectStore::link_into(const std::string& object, const std::string& name) {
  constexpr int k_tries = 16;
  Result<void> result;
  for (int attempt = 0; attempt < k_tries; ++attempt) {
    result = disk_.link(object, name);
    if (!is(result, Errc::not_found)) return result;
    const auto status = disk_.status(object);
    if (!status) return status.error();
    const auto made = make_directories(disk_, parent_of(name));
    if (!made && made.error().code() != Errc::not_found) return made;
  }
  return Error(Errc::io, "cannot link " + name + ": its directory keeps vanishing");
}

Result<std::uint64_t> ObjectStore::count_names(const Digest& digest) {
  std::uint64_t names = 0;
  for (unsigned copy = 0;; ++copy) {
    const auto status = disk_.status(layout::object_path(digest, copy));
    if (!status && status.error().code() == Errc::not_found) return names;
    if (!status) return status.error();
    names += status->links - 1;
  }
}

Result<unsigned> ObjectStore::count_copies(const Digest& digest) {
  for (unsigned copies = 0;; ++copies) {
    const auto status = disk_.status(layout::object_path(digest, copies));
    if (!status && status.error().code() == Errc::not_found) return copies;
    if (!status) return status.error();
  }
}

// The last copy takes its place, in one step: the numbers stay dense, wherever a crash comes.
Result<void> ObjectStore::remove_copy(const Digest& digest, unsigned copy, unsigned& copies) {
  const std::string object = layout::object_path(digest, copy);
  const std::string last = layout::object_path(digest, copies - 1);
  LARDER_TRY(object == last ? disk_.remove(last) : disk_.replace(last, object));
  copies -= 1;
  return {};
}

// By a link where another copy takes its place: cut off before that, it is filed as it was, and no number is
// missing. Where there is no room for the link it is moved; what a crash leaves then is for close_gap().
Result<void> ObjectStore::set_copy_aside(const Digest& digest, unsigned copy, unsigned& copies,
                                         const std::string& to) {
  const std::string object = layout::object_path(digest, copy);
  const bool is_last = copy + 1 == copies;
  LARDER_TRY(make_directories(disk_, parent_of(to)));
  if (!is_last) {
    const auto linked = disk_.link(object, to);
    if (linked) return remove_copy(digest, copy, copies);
    if (!is(linked, Errc::too_many_links)) return linked;
  }
  LARDER_TRY(disk_.publish(object, to));
  copies -= 1;
  return is_last ? Result<void>() : disk_.publish(layout::object_path(digest, copies), object);
}

Result<std::string> ObjectStore::close_gap(const Digest& digest, const std::string& path) {
  if (path == layout::object_path(digest, 0)) return path;
  const auto lock = locks_.lock(digest);
  LARDER_TRY_ASSIGN(const unsigned copies, count_copies(digest));
  for (unsigned copy = 0; copy < copies; ++copy) {
    if (path == layout::object_path(digest, copy)) return path;
  }
  std::string free = layout::object_path(digest, copies);
  return disk_.publish(path, free) ? free : path;  // or it went meanwhile, or cannot be moved: as it was
}

Result<void> ObjectStore::collect(const Digest& digest, const std::function<void()>& gone) {
  const auto lock = locks_.lock(digest);
  LARDER_TRY_ASSIGN(unsigned copies, count_copies(digest));
  for (unsigned copy = copies; copy-- > 0;) {  // downwards: what moves into a gap has been looked at
    LARDER_TRY_ASSIGN(const FileStatus status, disk_.status(layout::object_path(digest, copy)));
    if (status.links == 1) LARDER_TRY(remove_copy(digest, copy, copies));
  }
  if (copies == 0) gone();
  return {};
}

Result<void> ObjectStore::keep_whole(const Digest& digest, const std::unordered_set<std::uint64_t>& whole,
                                     const std::function<std::string()>& aside) {
  const auto lock = locks_.lock(digest);
  LARDER_TRY_ASSIGN(unsigned copies, count_copies(digest));
  for (unsigned copy = copies; copy-- > 0;) {  // downwards: what moves into a gap has been looked at
    LARDER_TRY_ASSIGN(const FileStatus status, disk_.status(layout::object_path(digest, copy)));
    if (whole.contains(status.inode)) continue;
    LARDER_TRY(status.links > 1 ? set_copy_aside(digest, copy, copies, aside())
                                : remove_copy(digest, copy, copies));
  }
  return {};
}

Result<bool> ObjectStore::has_unused(const Digest& digest) {
  const auto lock = locks_.lock(digest);
  LARDER_TRY_ASSIGN(const unsigned copies, count_copies(digest));
  for (unsigned copy = 0; copy < copies; ++copy) {
    LARDER_TRY_ASSIGN(const FileStatus status, disk_.status(layout::object_path(digest, copy)));
    if (status.links == 1) return true;
  }
  return false;
}

Result<void> ObjectStore::while_stored(const Digest& digest, const std::function<Result<void>()>& act) {
  const auto lock = locks_.lock(digest);
  LARDER_TRY_ASSIGN(const unsigned copies, count_copies(digest));
  return copies == 0 ? Result<void>() : act();
}

std::optional<unsigned> ObjectStore::copy_of(const Digest& digest, std::uint64_t inode) {
  for (unsigned copy = 0;; ++copy) {
    const auto status = disk_.status(layout::object_path(digest, copy));
    if (!status) return std::nullopt;
    if (status->inode == inode) return copy;
  }
}

Result<void> ObjectStore::condemn(const Digest& digest, std::uint64_t inode, const std::string& to,
                                  const std::function<void()>& gone) {
  const auto lock = locks_.lock(digest);
  LARDER_TRY_ASSIGN(unsigned copies, count_copies(digest));
  for (unsigned copy = 0; copy < copies; ++copy) {
    LARDER_TRY_ASSIGN(const FileStatus status, disk_.status(layout::object_path(digest, copy)));
    if (status.inode != inode) continue;
    LARDER_TRY(set_copy_aside(digest, copy, copies, to));
    if (copies == 0) gone();
    return {};
  }
  return Error(Errc::not_found, "the inode is not filed under " + digest.hex());
}

Result<void> ObjectStore::probe_links() {
  const std::string first = layout::k_staging + "/link-probe";
  const std::string second = first + "-2";
  (void)disk_.remove(first);
  (void)disk_.remove(second);
  LARDER_TRY(disk_.create(first));
  const Result<void> linked = disk_.link(first, second);
  (void)disk_.remove(first);
  if (!linked)
    return Error(Errc::not_supported,
                 "the data directory's file system makes no hard links, on which larder stands; "
                 "put it on ext4, xfs, btrfs, zfs or another that does (" +
                     linked.error().message() + ")");
  return disk_.remove(second);
}

}  // namespace larder
