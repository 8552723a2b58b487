#include "common/archive_check.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace {

using larder::check_archive;
using larder::Errc;

// An open file that exists in memory only.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& bytes) : descriptor_(::memfd_create("archive", MFD_CLOEXEC)) {
    REQUIRE(::write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

larder::Result<void> check(const std::string& bytes, const std::string& name) {
  const MemoryFile file(bytes);
  return check_archive(file.descriptor(), name);
}

// Text that compresses, but not to nothing.
std::string body(std::size_t size, unsigned seed) {
  std::string text;
  while (text.size() < size) {
    seed = seed * 1103515245 + 12345;
    text += "line " + std::to_string(seed >> 8) + "\n";
  }
  text.resize(size);
  return text;
}

struct Recipe {
  int format;
  int filter;
  int entries;
};

std::string written(const Recipe& recipe) {
  std::string out(4 << 20, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  REQUIRE(archive_write_set_format(writer, recipe.format) == ARCHIVE_OK);
  REQUIRE(archive_write_add_filter(writer, recipe.filter) == ARCHIVE_OK);
  archive_write_set_bytes_in_last_block(writer, 1);
  REQUIRE(archive_write_open_memory(writer, out.data(), out.size(), &used) == ARCHIVE_OK);
  for (int i = 0; i < recipe.entries; ++i) {
    const std::string content = body(static_cast<std::size_t>(300 + 700 * i), static_cast<unsigned>(i));
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, ("usr/lib/part" + std::to_string(i)).c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    REQUIRE(archive_write_header(writer, entry) == ARCHIVE_OK);
    REQUIRE(archive_write_data(writer, content.data(), content.size()) > 0);
    archive_entry_free(entry);
  }
  REQUIRE(archive_write_close(writer) == ARCHIVE_OK);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

std::string compressed(const std::string& bytes, int filter, const char* level = nullptr) {
  std::string out(bytes.size() * 2 + 4096, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  archive_write_add_filter(writer, filter);
  if (level != nullptr) {
    REQUIRE(archive_write_set_filter_option(writer, nullptr, "compression-level", level) == ARCHIVE_OK);
  }
  archive_write_set_bytes_in_last_block(writer, 1);
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_write_header(writer, entry);
  archive_write_data(writer, bytes.data(), bytes.size());
  archive_entry_free(entry);
  archive_write_close(writer);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

std::string tar(int entries) {
  return written({ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, entries});
}

// What pzstd writes in front of each frame: a skippable frame of four bytes that
// hold the length of the frame to come.
std::string skippable_frame(std::uint32_t length) {
  std::string frame("\x50\x2A\x4D\x18\x04\x00\x00\x00", 8);
  for (int shift = 0; shift < 32; shift += 8) frame.push_back(static_cast<char>(length >> shift));
  return frame;
}

std::string as_pzstd(const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& piece : pieces) {
    const std::string frame = compressed(piece, ARCHIVE_FILTER_ZSTD);
    out += skippable_frame(static_cast<std::uint32_t>(frame.size())) + frame;
  }
  return out;
}

struct Sample {
  std::string name;
  std::string bytes;
};

std::vector<Sample> samples() {
  const std::string plain = tar(3);
  const std::string empty = std::string(10240, '\0');
  const auto half = plain.size() / 2;
  const std::vector<std::string> halves = {plain.substr(0, half), plain.substr(half)};
  const auto twice = [&](int filter) {
    return compressed(halves[0], filter) + compressed(halves[1], filter);
  };
  return {
      {"a.tar.zst", compressed(plain, ARCHIVE_FILTER_ZSTD)},
      {"a.tgz", compressed(plain, ARCHIVE_FILTER_GZIP)},
      {"a.crate", compressed(plain, ARCHIVE_FILTER_GZIP)},
      {"a.tar.xz", compressed(plain, ARCHIVE_FILTER_XZ)},
      {"a.tar.bz2", compressed(plain, ARCHIVE_FILTER_BZIP2)},
      {"concatenated.tar.zst", twice(ARCHIVE_FILTER_ZSTD)},
      {"concatenated.tar.gz", twice(ARCHIVE_FILTER_GZIP)},
      {"concatenated.tar.xz", twice(ARCHIVE_FILTER_XZ)},
      {"concatenated.tar.bz2", twice(ARCHIVE_FILTER_BZIP2)},
      {"pzstd.tar.zst", as_pzstd(halves)},
      {"empty.tar.zst", compressed(empty, ARCHIVE_FILTER_ZSTD)},
      {"empty-pzstd.tar.zst", as_pzstd({empty})},
      {"empty.tgz", compressed(empty, ARCHIVE_FILTER_GZIP)},
      {"patch.gz", compressed(body(5000, 1), ARCHIVE_FILTER_GZIP)},
      {"patch.zst", compressed(body(5000, 1), ARCHIVE_FILTER_ZSTD)},
      {"patch.xz", compressed(body(5000, 1), ARCHIVE_FILTER_XZ)},
      {"patch.bz2", compressed(body(5000, 1), ARCHIVE_FILTER_BZIP2)},
      {"a.zip", written({ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, 3})},
  };
}

TEST_CASE("sound archives of every kind pass", "[archive_check]") {
  for (const Sample& sample : samples()) {
    INFO(sample.name);
    const auto checked = check(sample.bytes, sample.name);
    if (!checked) FAIL(checked.error().message());
  }
}

TEST_CASE("an archive that was cut anywhere never passes", "[archive_check]") {
  for (const Sample& sample : samples()) {
    for (std::size_t length = 0; length < sample.bytes.size(); ++length) {
      const auto checked = check(sample.bytes.substr(0, length), sample.name);
      if (checked)
        FAIL(sample.name << " cut to " << length << " of " << sample.bytes.size() << " bytes passes");
      if (checked.error().code() != Errc::corrupt) FAIL(checked.error().message());
    }
  }
}

TEST_CASE("a plain tar passes only with its end marker", "[archive_check]") {
  std::string bytes = tar(3);
  while (bytes.ends_with('\0')) bytes.pop_back();
  bytes.resize((bytes.size() + 511) / 512 * 512);

  for (std::size_t length = 0; length < bytes.size() + 1024; ++length) {
    INFO(length);
    std::string cut = bytes;
    cut.resize(length, '\0');
    if (check(cut, "a.tar")) FAIL("cut to " << length << " bytes it passes");
  }
  bytes.resize(bytes.size() + 1024);
  CHECK(check(bytes, "a.tar"));
  bytes.resize(bytes.size() + 7777);
  CHECK(check(bytes, "padded.tar"));
}

// libarchive's zstd writer adds no checksum, so here is a frame by hand (RFC 8878):
// magic, descriptor (single segment, checksum), content size 5, a last raw block
// of 5 bytes, the low half of their XXH64.
TEST_CASE("a flipped bit in a zstd frame with a checksum is found", "[archive_check]") {
  const std::string frame(
      "\x28\xB5\x2F\xFD"
      "\x24\x05"
      "\x29\x00\x00"
      "hello"
      "\xA3\x6D\x9F\x88",
      18);
  REQUIRE(check(frame, "a.zst"));
  constexpr std::size_t k_contents = 9;
  for (std::size_t i = k_contents; i < frame.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = frame;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      if (check(damaged, "a.zst")) FAIL("bit " << bit << " of byte " << i);
    }
  }
}

// Stored, not deflated: matches among equal bytes have several spellings, and a
// bit that changes no output is no damage. Neither the member's header (10 bytes)
// nor the block's first byte counts.
TEST_CASE("a flipped bit in a gzip member or in its trailer is found", "[archive_check]") {
  constexpr std::size_t k_headers = 11;
  const std::string sound = compressed(tar(1), ARCHIVE_FILTER_GZIP, "0");
  REQUIRE(check(sound, "a.tgz"));
  for (std::size_t i = k_headers; i < sound.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = sound;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      if (check(damaged, "a.tgz")) FAIL("bit " << bit << " of byte " << i << " of " << sound.size());
    }
  }
}

TEST_CASE("a damaged member of a zip is found and named", "[archive_check]") {
  std::string bytes = written({ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, 2});
  bytes[100] = static_cast<char>(bytes[100] ^ 0x10);
  const auto checked = check(bytes, "a.zip");
  REQUIRE_FALSE(checked);
  CHECK_THAT(checked.error().message(), Catch::Matchers::Contains("usr/lib/part0"));
}

TEST_CASE("what follows the end of an archive is looked at, too", "[archive_check]") {
  const std::string gzip = compressed(tar(1), ARCHIVE_FILTER_GZIP);
  const std::string zstd = compressed(tar(1), ARCHIVE_FILTER_ZSTD);
  CHECK(check(gzip + std::string(600, '\0'), "padded.tgz"));  // gzip allows it
  CHECK_FALSE(check(gzip + "garbage", "a.tgz"));
  CHECK_FALSE(check(gzip + std::string(9, '\0') + "x", "a.tgz"));
  CHECK_FALSE(check(gzip + gzip.substr(0, 40), "a.tgz"));
  CHECK_FALSE(check(zstd + "garbage", "a.tar.zst"));
  CHECK_FALSE(check(zstd + zstd.substr(0, 40), "a.tar.zst"));
  CHECK(check(zstd + skippable_frame(0), "a.tar.zst"));
}

TEST_CASE("contents that are not what the name says do not pass", "[archive_check]") {
  const std::string gzip = compressed(tar(1), ARCHIVE_FILTER_GZIP);
  for (const std::string name : {"a.tar.zst", "a.tar.xz", "a.tar.bz2", "a.tar", "a.zip"}) {
    INFO(name);
    CHECK_FALSE(check(gzip, name));
    CHECK_FALSE(check("<html><body>Not here</body></html>", name));
    CHECK_FALSE(check("", name));
  }
  CHECK_FALSE(check(compressed("no tar", ARCHIVE_FILTER_ZSTD), "a.tar.zst"));
  CHECK_FALSE(check(compressed(std::string(5000, 'x'), ARCHIVE_FILTER_GZIP), "a.tgz"));
}

TEST_CASE("the message says which file, what is wrong and where", "[archive_check]") {
  const std::string bytes = compressed(tar(3), ARCHIVE_FILTER_ZSTD);
  const auto checked = check(bytes.substr(0, bytes.size() / 2), "sstate:zlib.tar.zst");
  REQUIRE_FALSE(checked);
  CHECK_THAT(checked.error().message(), Catch::Matchers::StartsWith("sstate:zlib.tar.zst: "));
  CHECK_THAT(checked.error().message(), Catch::Matchers::Contains("runcated"));
  CHECK_THAT(checked.error().message(), Catch::Matchers::EndsWith("bytes of its contents)"));
}

TEST_CASE("names without a known archive ending pass unread", "[archive_check]") {
  for (const std::string name : {"a.tar.zst.siginfo", "a.tgz.sig", "README", "a.patch", "x.tar.lz", ""}) {
    INFO(name);
    CHECK_FALSE(larder::is_checkable_archive(name));
    CHECK(check("anything", name));
  }
}

TEST_CASE("a check can be stopped", "[archive_check]") {
  const MemoryFile file(compressed(tar(3), ARCHIVE_FILTER_ZSTD));
  const auto checked = check_archive(file.descriptor(), "a.tar.zst", [] { return true; });
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code() == Errc::cancelled);
}

TEST_CASE("a file that is not there is reported as such", "[archive_check]") {
  const auto checked = check_archive(std::filesystem::path("/nonexistent/a.tar.zst"));
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code() == Errc::not_found);
}

}  // namespace
