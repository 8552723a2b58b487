#include "server/store/object_store.hpp"

#include "server/store/layout.hpp"

namespace larder {
namespace {

bool is(const Result<void>& result, Errc code) { return !result && result.error().code() == code; }

// A directory that was just made is an entry of the one above it.
void add_parents(const std::vector<std::string>& made, std::vector<std::string>& directories) {
  for (const std::string& directory : made) directories.push_back(parent_of(directory));
}

}  // namespace

Result<ObjectStore::Linked> ObjectStore::link(const Digest& digest, const Place& place, const std::string& name) {
  const auto lock = locks_.lock(digest);
  Linked linked;
  const std::string directory = layout::object_directory(digest);
  bool placed = false;
  std::string object;
  for (unsigned copy = 0;; ++copy) {
    object = layout::object_path(digest, copy);
    std::vector<std::string> made;
    Result<void> result = link_into(object, name, made);
    if (is(result, Errc::not_found)) {  // no such copy: the caller's bytes become it
      LARDER_TRY_ASSIGN(const auto fan_out, make_directories(disk_, directory));
      add_parents(fan_out, linked.directories);
      LARDER_TRY(place(object));
      placed = true;
      linked.new_content = copy == 0;
      linked.directories.push_back(directory);
      result = link_into(object, name, made);
    }
    add_parents(made, linked.directories);
    if (is(result, Errc::too_many_links) && !placed) continue;
    if (!result) {
      if (placed) (void)disk_.remove(object);  // reconcile collects what stays behind
      return result.error();
    }
    linked.directories.push_back(parent_of(name));
    return linked;
  }
}

// Errc::not_found: `object` is missing. Directories above `name` are made as
// needed; a removal next door may take an empty one away again, hence the tries.
Result<void> ObjectStore::link_into(const std::string& object, const std::string& name,
                                    std::vector<std::string>& made) {
  constexpr int k_tries = 16;
  Result<void> result;
  for (int attempt = 0; attempt < k_tries; ++attempt) {
    result = disk_.link(object, name);
    if (!is(result, Errc::not_found)) return result;
    const auto status = disk_.status(object);
    if (!status) return status.error();
    LARDER_TRY_ASSIGN(const auto directories, make_directories(disk_, parent_of(name)));
    made.insert(made.end(), directories.begin(), directories.end());
  }
  return Error(Errc::io, "cannot link " + name + ": its directory keeps vanishing");
}

Result<void> ObjectStore::collect(const Digest& digest, const std::function<void()>& gone) {
  const auto lock = locks_.lock(digest);
  unsigned copies = 0;
  std::vector<unsigned> unused;
  for (;; ++copies) {
    const auto status = disk_.status(layout::object_path(digest, copies));
    if (!status && status.error().code() == Errc::not_found) break;
    if (!status) return status.error();
    if (status->links == 1) unused.push_back(copies);
  }
  // From the highest down, and the last copy into the gap: the numbers stay dense.
  for (auto copy = unused.rbegin(); copy != unused.rend(); ++copy) {
    LARDER_TRY(disk_.remove(layout::object_path(digest, *copy)));
    copies -= 1;
    if (*copy != copies)
      LARDER_TRY(disk_.publish(layout::object_path(digest, copies), layout::object_path(digest, *copy)));
  }
  if (copies == 0) gone();
  return {};
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
                 "put it on ext4, xfs, btrfs, zfs or another that does (" + linked.error().message() + ")");
  return disk_.remove(second);
}

}  // namespace larder
