#include "server/store/content_check.hpp"

#include <fcntl.h>

#include "common/archive_check.hpp"
#include "common/hasher.hpp"

namespace larder {

void forget_cached(File& file) {
  if (file.descriptor() >= 0) (void)::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
}

namespace {

using Kind = ContentCheck::Finding::Kind;

bool is_of_the_file(const Error& error) {
  return error.code() == Errc::forbidden || error.code() == Errc::io;
}

ContentCheck::Finding moved() {
  ContentCheck::Finding finding;
  finding.kind = Kind::moved;
  return finding;
}

ContentCheck::Finding unreadable(const Error& error) {
  ContentCheck::Finding finding;
  finding.kind = Kind::unreadable;
  finding.detail = error.message();
  return finding;
}

}  // namespace

Result<ContentCheck::Finding> ContentCheck::hash(const std::string& path, std::uint64_t inode,
                                                 const Digest& digest) {
  constexpr int k_looks = 3;
  Finding finding;
  for (int look = 0; look < k_looks; ++look) {
    LARDER_TRY_ASSIGN(finding, hash_once(path, inode, digest));
    if (finding.kind == Kind::sound || finding.kind == Kind::moved) break;
  }
  return finding;
}

Result<ContentCheck::Finding> ContentCheck::hash_once(const std::string& path, std::uint64_t inode,
                                                      const Digest& digest) {
  const auto file = core_.disk.open(path);
  if (!file && (file.error().code() == Errc::not_found || file.error().code() == Errc::conflict))
    return moved();
  if (!file && is_of_the_file(file.error())) return unreadable(file.error());
  if (!file) return file.error();
  LARDER_TRY_ASSIGN(const FileStatus status, (*file)->status());
  if (status.inode != inode) return moved();
  Hasher hasher;
  Finding finding;
  std::vector<std::byte> buffer(256 << 10);
  while (true) {
    const auto count = (*file)->read_at(finding.bytes, buffer);
    if (!count && is_of_the_file(count.error())) return unreadable(count.error());
    if (!count) return count.error();
    if (*count == 0) break;
    hasher.update(std::span(buffer).first(*count));
    finding.bytes += *count;
    LARDER_TRY(pace_.read(*count));
  }
  const Digest found = hasher.finish();
  if (found == digest) return finding;
  forget_cached(**file);
  finding.kind = Kind::differs;
  finding.detail = "stored as " + digest.hex() + ", reads as " + found.hex() + " (" +
                   std::to_string(status.size) + " bytes)";
  return finding;
}

Result<ContentCheck::Finding> ContentCheck::read_archive(const std::string& path) {
  Finding finding;
  if (!is_checkable_archive(path)) return finding;
  constexpr int k_looks = 2;  // the bytes are right already; what they decompress to does not depend on luck
  for (int look = 0; look < k_looks; ++look) {
    const auto file = core_.disk.open(path);
    if (!file) return moved();
    if ((*file)->descriptor() < 0) return finding;
    const auto sound = check_archive((*file)->descriptor(), path, [this] { return !pace_.step(); });
    if (sound) return Finding();
    if (sound.error().code() == Errc::cancelled) return sound.error();
    finding.kind = Kind::unreadable;
    finding.detail = sound.error().message();
  }
  return finding;
}

}  // namespace larder
