#include "server/log_writer.hpp"

#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;

namespace {

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("no line of many threads is lost or torn when a log is closed", "[log]") {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "below" / "access.log";
  {
    auto writer = LogWriter::open(file.string());
    REQUIRE(writer);
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 5000; ++i) (*writer)->add(std::to_string(t) + ":" + std::to_string(i));
      });
    for (std::thread& thread : threads) thread.join();
  }
  const auto lines = lines_of(file);
  CHECK(lines.size() == 20000);
  CHECK(std::set<std::string>(lines.begin(), lines.end()).size() == 20000);
}

TEST_CASE("a line is in the file after a flush, and in the new file after a rotation", "[log]") {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "access.log";
  auto writer = LogWriter::open(file.string());
  REQUIRE(writer);
  (*writer)->add("one");
  (*writer)->flush();
  CHECK(lines_of(file) == std::vector<std::string>{"one"});
  std::filesystem::rename(file, directory.path() / "access.log.1");
  (*writer)->add("two");
  (*writer)->flush();
  REQUIRE((*writer)->reopen());
  (*writer)->add("three");
  (*writer)->flush();
  CHECK(lines_of(directory.path() / "access.log.1") == std::vector<std::string>{"one", "two"});
  CHECK(lines_of(file) == std::vector<std::string>{"three"});
}

TEST_CASE("a log that cannot be opened says which", "[log]") {
  const auto writer = LogWriter::open("/proc/no/such/file");
  REQUIRE_FALSE(writer);
  CHECK(writer.error().message().find("/proc/no/such/file") != std::string::npos);
}
