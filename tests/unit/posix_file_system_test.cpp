#include "server/store/posix_file_system.hpp"

#include <sys/stat.h>

#include <filesystem>

#include "tests/support/catch.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;

namespace {

// Of a data directory with tmp/, objects/ab and tree/.
struct Disk {
  Disk() {
    for (const char* each : {"tmp", "objects/ab", "tree"})
      std::filesystem::create_directories(directory.path() / each);
    auto opened = PosixFileSystem::open_root(directory.path(), {"tmp", "objects"});
    REQUIRE(opened);
    disk = std::move(*opened);
  }

  bool has(const char* path) const { return std::filesystem::exists(directory.path() / path); }
  Result<void> store(const std::string& object) {
    const auto staged = disk->create("tmp/1");
    if (!staged) return staged.error();
    const auto published = disk->publish("tmp/1", object);
    if (!published) (void)disk->remove("tmp/1");
    return published;
  }

  TemporaryDirectory directory;
  std::unique_ptr<PosixFileSystem> disk;
};

}  // namespace

TEST_CASE("a kept directory that somebody removed is missed, and used when it is there again",
          "[posix_file_system]") {
  Disk data;
  REQUIRE(data.store("objects/ab/one"));
  REQUIRE(data.disk->remove("objects/ab/one"));
  std::filesystem::remove(data.directory.path() / "objects/ab");

  const auto refused = data.store("objects/ab/two");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::not_found);

  REQUIRE(make_directories(*data.disk, "objects/ab"));
  REQUIRE(data.store("objects/ab/two"));
  CHECK(data.has("objects/ab/two"));
}

TEST_CASE("a kept directory that somebody made anew is the new one", "[posix_file_system]") {
  Disk data;
  REQUIRE(data.store("objects/ab/one"));
  for (const char* each : {"objects/ab", "tmp"}) {
    std::filesystem::remove_all(data.directory.path() / each);
    std::filesystem::create_directories(data.directory.path() / each);
  }

  CHECK(data.disk->status("objects/ab/one").error().code() == Errc::not_found);
  REQUIRE(data.store("objects/ab/two"));
  CHECK(data.has("objects/ab/two"));
  CHECK(data.disk->status("objects/ab/two").ok());
}

TEST_CASE("a directory that we removed and made is not mixed up with the old one", "[posix_file_system]") {
  Disk data;
  REQUIRE_FALSE(data.disk->status("objects/ab/one"));
  REQUIRE(data.disk->remove_directory("objects/ab"));
  REQUIRE(data.disk->make_directory("objects/ab"));
  REQUIRE(data.store("objects/ab/one"));
  CHECK(data.has("objects/ab/one"));
}

TEST_CASE("directories of the tree may be renamed at any time", "[posix_file_system]") {
  Disk data;
  const auto root = data.directory.path();
  std::filesystem::create_directories(root / "tree/ns");
  REQUIRE(data.disk->create("tree/ns/one"));
  std::filesystem::rename(root / "tree/ns", root / "tree/old");
  std::filesystem::create_directories(root / "tree/ns");

  REQUIRE(data.disk->create("tree/ns/two"));

  CHECK(data.has("tree/ns/two"));
  CHECK_FALSE(data.has("tree/old/two"));
}

TEST_CASE("neither a kept directory nor a name in it is reached by a symbolic link", "[posix_file_system]") {
  Disk data;
  const auto root = data.directory.path();
  std::filesystem::create_directory_symlink(root / "tree", root / "objects/cd");
  std::filesystem::create_symlink(root / "tree/elsewhere", root / "tmp/1");

  CHECK_FALSE(data.disk->status("objects/cd/one"));
  CHECK_FALSE(data.disk->create("objects/cd/one"));
  CHECK_FALSE(data.disk->create("tmp/1"));
  CHECK_FALSE(data.has("tree/elsewhere"));
}

TEST_CASE("a file that is made whole has its bytes, is read-only, and replaces nothing",
          "[posix_file_system]") {
  Disk data;
  const std::string bytes(20000, 'b');
  REQUIRE(data.disk->create_whole("objects/ab/one", std::as_bytes(std::span(bytes))));
  const auto status = data.disk->status("objects/ab/one");
  REQUIRE(status);
  CHECK(status->size == bytes.size());
  CHECK((status->mode & 0222) == 0);
  const auto again = data.disk->create_whole("objects/ab/one", {});
  REQUIRE_FALSE(again);
  CHECK(again.error().code() == Errc::exists);
  CHECK(data.disk->status("objects/ab/one")->size == bytes.size());
  CHECK(data.disk->create_whole("objects/cd/two", {}).error().code() == Errc::not_found);
}

TEST_CASE("pieces are written one behind the other, however many they are", "[posix_file_system]") {
  Disk data;
  const auto file = data.disk->open_to_overwrite("tmp/segment");
  REQUIRE(file);
  const std::string before(10, '-');
  REQUIRE((*file)->write_at(0, std::as_bytes(std::span(before))));
  std::vector<std::string> texts;
  std::string whole;
  for (int i = 0; i < 3000; ++i) {  // more than writev(2) takes at once
    texts.push_back(i % 7 == 0 ? std::string() : std::to_string(i));
    whole += texts.back();
  }
  std::vector<File::Piece> pieces;
  pieces.reserve(texts.size());
  for (const std::string& each : texts) pieces.push_back(std::as_bytes(std::span(each)));
  REQUIRE((*file)->write_pieces_at(2, pieces));
  REQUIRE((*file)->write_pieces_at(2, {}));
  std::string content(whole.size() + 100, '?');
  const auto count = (*file)->read_at(0, std::as_writable_bytes(std::span(content)));
  REQUIRE(count);
  CHECK(content.substr(0, *count) == "--" + whole);
}

TEST_CASE("a reserve takes room on the disk and is no file before it has it", "[posix_file_system]") {
  Disk data;
  const auto made = data.disk->create_reserve("tmp/reserve", 1 << 20);
  if (!made && made.error().code() == Errc::not_supported) {
    SUCCEED("this file system cannot");
    return;
  }
  REQUIRE(made);
  struct stat raw {};
  REQUIRE(::stat((data.directory.path() / "tmp/reserve").c_str(), &raw) == 0);
  CHECK(raw.st_size == 1 << 20);
  CHECK(raw.st_blocks * 512 >= 1 << 20);
  CHECK(data.disk->create_reserve("tmp/reserve", 1).error().code() == Errc::exists);
  CHECK_FALSE(data.disk->create_reserve("tmp/much", std::uint64_t{1} << 63));  // negative for the kernel
  CHECK(data.disk->status("tmp/much").error().code() == Errc::not_found);
}

TEST_CASE("a file is written over in its middle and beyond its end", "[posix_file_system]") {
  Disk data;
  const auto write = [&](std::uint64_t offset, std::string_view text) {
    const auto file = data.disk->open_to_overwrite("tmp/segment");
    REQUIRE(file);
    REQUIRE((*file)->write_at(offset, std::as_bytes(std::span(text))));
    REQUIRE((*file)->sync_data());
    REQUIRE((*file)->sync_around());
  };
  write(0, "0123456789");
  write(3, "abc");
  write(9, "xyz");
  const auto file = data.disk->open("tmp/segment");
  REQUIRE(file);
  std::string content(20, '-');
  const auto count = (*file)->read_at(0, std::as_writable_bytes(std::span(content)));
  REQUIRE(count);
  CHECK(content.substr(0, *count) == "012abc678xyz");
}
