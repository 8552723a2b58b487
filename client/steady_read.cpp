#include "client/steady_read.hpp"

#include "client/file_digest.hpp"
#include "client/interrupt.hpp"
#include "common/archive_check.hpp"

namespace larder::client {
namespace {

// `examine(descriptor, state)` reads the file and says what it holds.
template <typename Examine>
Result<ReadFile> read_unchanged(const std::filesystem::path& path, const Examine& examine) {
  constexpr int k_attempts = 2;
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    LARDER_TRY_ASSIGN(LocalFile file, LocalFile::open(path, O_RDONLY | O_NOFOLLOW));
    LARDER_TRY_ASSIGN(const FileState before, file.state());
    const Result<Digest> digest = examine(file.descriptor(), before);
    LARDER_TRY_ASSIGN(const FileState after, file.state());
    if (before != after) continue;
    if (!digest) return digest.error();
    return ReadFile{std::move(file), {after.size, *digest}};
  }
  return Error(Errc::busy, "it changed while it was read");
}

Result<void> examine_archive(int descriptor, std::string_view name, CheckArchive check) {
  if (check == CheckArchive::no) return {};
  return check_archive(descriptor, name, interrupted);
}

}  // namespace

Result<ReadFile> read_steadily(const std::filesystem::path& path, std::string_view name, CheckArchive check) {
  return read_unchanged(path, [&](int descriptor, const FileState&) -> Result<Digest> {
    LARDER_TRY(examine_archive(descriptor, name, check));
    return digest_of_file(descriptor);
  });
}

Result<std::optional<Content>> read_steadily(const std::filesystem::path& path, std::string_view name,
                                             CheckArchive check, std::size_t limit, std::string& bytes) {
  bool fits = true;
  const auto examine = [&](int descriptor, const FileState& state) -> Result<Digest> {
    fits = state.size <= limit;
    if (!fits) return Digest();
    LARDER_TRY(examine_archive(descriptor, name, check));
    return read_all(descriptor, static_cast<std::size_t>(state.size), bytes);
  };
  LARDER_TRY_ASSIGN(const ReadFile read, read_unchanged(path, examine));
  return fits ? std::optional(read.content) : std::nullopt;
}

}  // namespace larder::client
