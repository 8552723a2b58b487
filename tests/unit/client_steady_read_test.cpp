#include "client/steady_read.hpp"

#include <fstream>

#include "common/hasher.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;
using namespace larder::client;

namespace {

std::filesystem::path file_with(const TemporaryDirectory& directory, const std::string& name,
                                const std::string& content) {
  const std::filesystem::path path = directory.path() / name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

}  // namespace

TEST_CASE("a small file is read whole, a larger one is left to who sends it alone", "[client]") {
  const TemporaryDirectory directory;
  std::string bytes = "of another file, and longer";
  const auto path = file_with(directory, "a", "content");
  const auto content = read_steadily(path, "a", CheckArchive::no, 7, bytes);
  REQUIRE(content);
  REQUIRE(*content);
  CHECK((*content)->size == 7);
  CHECK((*content)->digest == Hasher::of("content"));
  CHECK(bytes == "content");

  const auto larger = read_steadily(path, "a", CheckArchive::no, 6, bytes);
  REQUIRE(larger);
  CHECK_FALSE(*larger);
  const auto whole = read_steadily(path, "a", CheckArchive::no);
  REQUIRE(whole);
  CHECK(whole->content.size == 7);
  CHECK(whole->content.digest == Hasher::of("content"));
}

TEST_CASE("what cannot be sent is told, however small", "[client]") {
  const TemporaryDirectory directory;
  std::string bytes;
  const auto damaged = file_with(directory, "a.tar.gz", "no archive");
  CHECK(read_steadily(damaged, "a.tar.gz", CheckArchive::yes, 100, bytes).error().code() == Errc::corrupt);
  CHECK(read_steadily(damaged, "a.tar.gz", CheckArchive::no, 100, bytes).ok());
  CHECK(read_steadily(directory.path() / "b", "b", CheckArchive::no, 100, bytes).error().code() ==
        Errc::not_found);
  std::filesystem::create_symlink(damaged, directory.path() / "link");
  CHECK_FALSE(read_steadily(directory.path() / "link", "link", CheckArchive::no, 100, bytes).ok());
}
