// Reading files of a build that may be at work: what changes meanwhile gets a second chance, because builds
// touch files on use, which changes no byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "client/local_file.hpp"
#include "common/digest.hpp"
#include "common/result.hpp"

namespace larder::client {

// The bytes of a file as they were read.
struct Content {
  std::uint64_t size = 0;
  Digest digest;
};

// A file that was read once, whole and unchanged.
struct ReadFile {
  LocalFile file;
  Content content;
};

enum class CheckArchive { no, yes };

// Errors: busy, it does not keep still; corrupt, it is an archive (by `name`, for messages) and damaged;
// cancelled, an interrupt; not_found and io as the system has it.
Result<ReadFile> read_steadily(const std::filesystem::path& path, std::string_view name, CheckArchive check);

// The same, with all of its bytes in `bytes`; nothing for one that has more than `limit`.
Result<std::optional<Content>> read_steadily(const std::filesystem::path& path, std::string_view name,
                                             CheckArchive check, std::size_t limit, std::string& bytes);

}  // namespace larder::client
