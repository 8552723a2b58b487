#include "server/store/content_cache.hpp"

#include <algorithm>
#include <span>

#include "server/store/file_system.hpp"

namespace larder {

ContentCache::ContentCache(Limits limits) : limits_{limits.bytes / k_parts, limits.files / k_parts} {}

bool ContentCache::find(OpenArtifact& artifact, UnixSeconds now) {
  Part& part = part_of(artifact.entry.digest);
  std::int64_t changed = 0;
  {
    const std::lock_guard lock(part.mutex);
    const auto found = part.items.find(artifact.entry.digest);
    if (found == part.items.end() || now - found->second.opened > k_fresh) return false;
    Item& item = found->second;
    item.used = true;
    artifact.body = item.body;
    artifact.file = item.file;
    changed = item.changed;
  }
  if (artifact.body) return artifact.body->size() == artifact.entry.size;
  // Whatever was done to the inode, by us or behind our back, it is looked at again.
  const auto status = artifact.file->status();
  if (status && status->changed == changed && status->size == artifact.entry.size) return true;
  artifact.file.reset();
  return false;
}

ContentCache::Moment ContentCache::moment(const Digest& digest) const {
  const Part& part = part_of(digest);
  const std::lock_guard lock(part.mutex);
  return part.evictions;
}

Result<void> ContentCache::put(OpenArtifact& artifact, Moment moment, UnixSeconds now) {
  const Entry& entry = artifact.entry;
  const bool small = entry.size <= k_small;
  if (entry.size == 0 || (small ? limits_.bytes < k_small : limits_.files == 0)) return {};
  Item item;
  item.opened = now;
  if (small) {
    std::string bytes(entry.size, '\0');
    LARDER_TRY_ASSIGN(const std::size_t count,
                      artifact.file->read_at(0, std::as_writable_bytes(std::span(bytes))));
    if (count != entry.size) return {};  // cut this very moment: the next reader finds out
    item.body = std::make_shared<const std::string>(std::move(bytes));
    artifact.body = item.body;
  } else {
    LARDER_TRY_ASSIGN(const FileStatus status, artifact.file->status());
    item.file = artifact.file;
    item.changed = status.changed;
  }
  Part& part = part_of(entry.digest);
  const std::lock_guard lock(part.mutex);
  if (part.evictions != moment) return {};
  const auto before = part.items.find(entry.digest);
  if (before != part.items.end()) erase(part, before);
  item.serial = ++part.last_serial;
  part.queue.push_back({entry.digest, item.serial});
  part.bytes += small ? entry.size : 0;
  part.files += small ? 0 : 1;
  part.items.emplace(entry.digest, std::move(item));
  make_room(part);
  return {};
}

void ContentCache::evict(const Digest& digest) {
  Part& part = part_of(digest);
  const std::lock_guard lock(part.mutex);
  ++part.evictions;
  const auto found = part.items.find(digest);
  if (found != part.items.end()) erase(part, found);
}

void ContentCache::erase(Part& part, Items::iterator item) {
  part.bytes -= item->second.body ? item->second.body->size() : 0;
  part.files -= item->second.file ? 1 : 0;
  part.items.erase(item);
}

void ContentCache::make_room(Part& part) const {
  while (!part.queue.empty()) {
    const bool too_much = part.bytes > limits_.bytes || part.files > limits_.files;
    const bool mostly_gone = part.queue.size() > 2 * part.items.size() + 64;  // places of what was evicted
    if (!too_much && !mostly_gone) return;
    const Place oldest = part.queue.front();
    part.queue.pop_front();
    const auto found = part.items.find(oldest.digest);
    if (found == part.items.end() || found->second.serial != oldest.serial) continue;
    // Only what there is too much of has to go.
    const bool spare = found->second.body ? part.bytes <= limits_.bytes : part.files <= limits_.files;
    if (spare || found->second.used) {
      found->second.used = false;
      part.queue.push_back(oldest);
      if (!too_much) return;
    } else {
      erase(part, found);
    }
  }
}

}  // namespace larder
