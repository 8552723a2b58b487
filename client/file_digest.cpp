#include "client/file_digest.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <vector>

#include "client/interrupt.hpp"

namespace larder::client {

Result<void> feed_file(int descriptor, Hasher& hasher) {
  constexpr std::size_t k_piece = 256 * 1024;
  std::vector<std::byte> buffer(k_piece);
  off_t position = 0;
  while (!interrupted()) {
    const ssize_t got = ::pread(descriptor, buffer.data(), buffer.size(), position);
    if (got == 0) return {};
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return posix_error("read", "the file", errno);
    hasher.update(std::span(buffer).first(static_cast<std::size_t>(got)));
    position += got;
  }
  return Error(Errc::cancelled, "interrupted");
}

Result<Digest> digest_of_file(int descriptor) {
  Hasher hasher;
  LARDER_TRY(feed_file(descriptor, hasher));
  return hasher.finish();
}

Result<Digest> read_all(int descriptor, std::size_t size, std::string& bytes) {
  bytes.resize(size);
  for (std::size_t have = 0; have < size;) {
    const ssize_t got = ::pread(descriptor, bytes.data() + have, size - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return posix_error("read", "the file", errno);
    if (got == 0) return Error(Errc::busy, "it became shorter");
    have += static_cast<std::size_t>(got);
  }
  Hasher hasher;
  hasher.update(std::as_bytes(std::span(bytes)));
  return hasher.finish();
}

}  // namespace larder::client
