// Directory trees that look like the SSTATE_DIR and DL_DIR of real builds, the
// same for the same seed and compiler, with a manifest that says what a seeding
// client has to make of every file. The name forms and the rules are those of
// BitBake and Buildroot; a name or a piece of junk is here because a build makes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/digest.hpp"

namespace larder::test {

enum class Verdict {
  take,     // a finished artifact
  skip,     // unfinished, a lock, a stamp, a link …: not an artifact
  corrupt,  // has an artifact's name, but does not read back
};
std::string_view name_of(Verdict verdict);

struct SampleFile {
  std::string path;  // relative to the tree
  Verdict verdict = Verdict::take;
  std::string reason;  // of skip and corrupt: what it is
  std::uint64_t size = 0;
  Digest digest;  // all zero for symbolic links
};
using Manifest = std::vector<SampleFile>;  // in the order written

enum class Junk { none, some };
enum class DownloadsLayout { bitbake, buildroot };

struct SstateTreeOptions {
  std::uint64_t seed = 1;
  std::size_t objects = 1000;      // files to take: archives, siginfo and sig together
  double median_size = 20 * 1024;  // of the archives, in bytes
  double sigma = 1.2;
  Junk junk = Junk::none;
};

struct DownloadsTreeOptions {
  std::uint64_t seed = 1;
  std::size_t objects = 100;
  double median_size = 200 * 1024;
  double sigma = 1.5;
  Junk junk = Junk::none;
  DownloadsLayout layout = DownloadsLayout::bitbake;
};

// Both write below `directory`, which is made when it is not there, and throw
// std::system_error when they cannot.
Manifest make_sstate_tree(const std::filesystem::path& directory, const SstateTreeOptions& options);
Manifest make_downloads_tree(const std::filesystem::path& directory, const DownloadsTreeOptions& options);

// One line a file: path, verdict, SHA-256 ("-" for links), size, reason; tabs between.
std::string to_tsv(const Manifest& manifest);

}  // namespace larder::test
