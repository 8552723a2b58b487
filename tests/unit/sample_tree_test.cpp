#include "tests/support/sample_tree.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <set>

#include "common/hasher.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::test;
namespace fs = std::filesystem;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "larder-sample-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Whether the compressed bytes can be read to the end, every member included.
bool reads_as_tar(const std::string& bytes) {
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), &archive_read_free);
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_empty(reader.get());
  if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) return false;
  while (true) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) return true;
    if (status != ARCHIVE_OK || archive_read_data_skip(reader.get()) != ARCHIVE_OK) return false;
  }
}

bool is_archive(const std::string& path) {
  return path.ends_with(".tar.zst") || path.ends_with(".tgz");
}

SstateTreeOptions small_sstate(Junk junk) {
  SstateTreeOptions options;
  options.objects = 300;
  options.median_size = 2000;
  options.junk = junk;
  return options;
}

}  // namespace

TEST_CASE("a sample tree holds what its manifest says and nothing else", "[sample]") {
  const TemporaryDirectory directory;
  const Manifest manifest = make_sstate_tree(directory.path(), small_sstate(Junk::some));

  std::set<std::string> named;
  for (const SampleFile& file : manifest) {
    CAPTURE(file.path);
    CHECK(named.insert(file.path).second);
    if (fs::is_symlink(directory.path() / file.path)) {
      CHECK(file.verdict == Verdict::skip);
      continue;
    }
    const std::string bytes = read(directory.path() / file.path);
    CHECK(bytes.size() == file.size);
    CHECK(Hasher::of(bytes) == file.digest);
  }
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory.path())) {
    if (!entry.is_directory() || entry.is_symlink())
      found.insert(entry.path().lexically_relative(directory.path()).string());
  }
  CHECK(found == named);
}

TEST_CASE("the same seed makes the same tree, another seed another", "[sample]") {
  const TemporaryDirectory first;
  const TemporaryDirectory second;
  const TemporaryDirectory third;
  SstateTreeOptions options = small_sstate(Junk::none);
  const std::string once = to_tsv(make_sstate_tree(first.path(), options));
  const std::string again = to_tsv(make_sstate_tree(second.path(), options));
  options.seed = 2;
  const std::string other = to_tsv(make_sstate_tree(third.path(), options));

  CHECK(once == again);
  CHECK(once != other);
}

TEST_CASE("sample sstate names are those of every release", "[sample]") {
  const TemporaryDirectory directory;
  const Manifest manifest = make_sstate_tree(directory.path(), small_sstate(Junk::none));
  const std::regex name(
      "((universal|debian-12)/)?([0-9a-f]{2})/([0-9a-f]{2})/sstate:[^:/]+:[^:/]*:[^:/]+:[^:/]+:[^:/]*:"
      "(3|7|10|11|12|14):\\3\\4[0-9a-f]{60}_[a-z0-9_]+\\.(tgz|tar\\.zst)(\\.siginfo|\\.sig)?");

  std::set<std::size_t> lengths;
  std::set<std::string> versions;
  std::size_t archives = 0;
  std::size_t siginfos = 0;
  std::size_t empty = 0;
  for (const SampleFile& file : manifest) {
    CAPTURE(file.path);
    CHECK(file.verdict == Verdict::take);
    std::smatch match;
    REQUIRE(std::regex_match(file.path, match, name));
    versions.insert(match[5]);
    lengths.insert(fs::path(file.path).filename().string().size());
    archives += is_archive(file.path) ? 1 : 0;
    siginfos += file.path.ends_with(".siginfo") ? 1 : 0;
    empty += file.size == 34 ? 1 : 0;
  }
  CHECK(manifest.size() == 300);
  CHECK(lengths.count(246) == 1);
  CHECK(*lengths.rbegin() == 254);
  CHECK(versions.size() >= 4);
  CHECK(siginfos > archives * 3 / 2);
  CHECK(siginfos < archives * 5 / 2);
  CHECK(empty > 5);
  const auto has = [&](const char* text) {
    return std::any_of(manifest.begin(), manifest.end(),
                       [&](const SampleFile& file) { return file.path.find(text) != std::string::npos; });
  };
  for (const char* text :
       {"universal/", "debian-12/", "_populate_lic.tar.zst", "::", "+", "~", ".tgz", ".sig"}) {
    CAPTURE(text);
    CHECK(has(text));
  }
}

TEST_CASE("sample archives read to their end unless they are meant to be corrupt", "[sample]") {
  const TemporaryDirectory directory;
  const Manifest manifest = make_sstate_tree(directory.path(), small_sstate(Junk::some));

  std::set<std::string> kinds;
  for (const SampleFile& file : manifest) {
    CAPTURE(file.path, file.reason);
    if (file.verdict == Verdict::take && is_archive(file.path))
      CHECK(reads_as_tar(read(directory.path() / file.path)));
    if (file.verdict != Verdict::corrupt) continue;
    kinds.insert(file.reason);
    // libarchive stops at the end of the tar, takes zeros for an empty one and
    // ignores the checksum of gzip: these need more than a reader that is content.
    const bool subtle = file.reason.starts_with("garbage") || file.reason.starts_with("zeros") ||
                        file.reason.starts_with("gzip checksum");
    if (!subtle) CHECK_FALSE(reads_as_tar(read(directory.path() / file.path)));
  }
  CHECK(kinds.size() == 7);
}

TEST_CASE("a sample DL_DIR stamps every finished file", "[sample]") {
  const TemporaryDirectory directory;
  DownloadsTreeOptions options;
  options.objects = 28;
  options.median_size = 2000;
  options.junk = Junk::some;
  const Manifest manifest = make_downloads_tree(directory.path(), options);

  std::size_t taken = 0;
  for (const SampleFile& file : manifest) {
    CAPTURE(file.path);
    if (file.verdict != Verdict::take) continue;
    ++taken;
    CHECK(file.size > 0);
    CHECK(fs::exists(directory.path() / (file.path + ".done")));
  }
  CHECK(taken == 29);  // and one beside a lock
  for (const char* prefix : {"npm2/", "uninative/", "git2_", "hg_", "gitshallow_"}) {
    CAPTURE(prefix);
    CHECK(std::any_of(manifest.begin(), manifest.end(), [&](const SampleFile& file) {
      return file.verdict == Verdict::take && file.path.starts_with(prefix);
    }));
  }
}

TEST_CASE("a sample Buildroot DL_DIR has a directory for each package and no stamps", "[sample]") {
  const TemporaryDirectory directory;
  DownloadsTreeOptions options;
  options.objects = 10;
  options.median_size = 2000;
  options.layout = DownloadsLayout::buildroot;
  const Manifest manifest = make_downloads_tree(directory.path(), options);

  CHECK(manifest.size() == 10);
  for (const SampleFile& file : manifest) {
    CAPTURE(file.path);
    CHECK(std::count(file.path.begin(), file.path.end(), '/') == 1);
    CHECK_FALSE(file.path.ends_with(".done"));
  }
}
