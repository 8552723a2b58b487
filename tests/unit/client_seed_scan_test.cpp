#include "client/seed_scan.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::client;
namespace fs = std::filesystem;

class Tree {
 public:
  Tree() {
    std::string name = (fs::temp_directory_path() / "larder-scan-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~Tree() { fs::remove_all(root_); }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  void add(const std::string& path, const std::string& content = "x") {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }
  const fs::path& root() const { return root_; }

 private:
  fs::path root_;
};

std::vector<std::string> taken(const Scan& scan) {
  std::vector<std::string> paths;
  for (const FoundFile& file : scan.files) paths.push_back(file.path);
  return paths;
}

std::vector<std::string> left_out(const Scan& scan) {
  std::vector<std::string> lines;
  for (const LeftOut& each : scan.left_out)
    lines.push_back(each.path + " " + std::string(name_of(each.reason)));
  return lines;
}

using Lines = std::vector<std::string>;

TEST_CASE("a download directory with stamps gives what is stamped", "[client][seed_scan]") {
  Tree tree;
  tree.add("b.tgz");
  tree.add("b.tgz.done", "");
  tree.add("a/c.tgz");
  tree.add("a/c.tgz.done", "");
  tree.add("unfinished.tgz");
  tree.add("git2/host.repo/HEAD");
  fs::create_symlink("/nonexistent", tree.root() / "link.tgz");

  const auto scan = scan_tree(tree.root(), NamespaceKind::downloads);
  REQUIRE(scan);
  CHECK(taken(*scan) == Lines{"a/c.tgz", "b.tgz"});
  CHECK(left_out(*scan) == Lines{"a/c.tgz.done stamp", "b.tgz.done stamp", "git2/ checkout",
                                 "link.tgz symlink", "unfinished.tgz unfinished"});
  CHECK(scan->unreadable.empty());
}

// The stamp may be seen after the file it decides about, and in another directory.
TEST_CASE("one stamp anywhere makes a missing stamp mean unfinished", "[client][seed_scan]") {
  Tree tree;
  tree.add("a.tgz");
  tree.add("z/b.tgz");
  CHECK(taken(*scan_tree(tree.root(), NamespaceKind::downloads)) == Lines{"a.tgz", "z/b.tgz"});
  tree.add("z/b.tgz.done", "");
  CHECK(taken(*scan_tree(tree.root(), NamespaceKind::downloads)) == Lines{"z/b.tgz"});
}

TEST_CASE("a found file carries its size and its time", "[client][seed_scan]") {
  Tree tree;
  tree.add("a", "12345");
  const timespec times[2] = {{1700000000, 0}, {1700000001, 5}};
  REQUIRE(::utimensat(AT_FDCWD, (tree.root() / "a").c_str(), times, 0) == 0);
  const auto scan = scan_tree(tree.root(), NamespaceKind::generic);
  REQUIRE(scan->files.size() == 1);
  CHECK(scan->files[0].state == FileState{5, 1'700'000'001'000'000'005});
}

TEST_CASE("special files are left out without being opened", "[client][seed_scan]") {
  Tree tree;
  REQUIRE(::mkfifo((tree.root() / "fifo").c_str(), 0600) == 0);
  const auto scan = scan_tree(tree.root(), NamespaceKind::generic);
  REQUIRE(scan);
  CHECK(left_out(*scan) == Lines{"fifo special-file"});
}

TEST_CASE("a directory that cannot be read is told, and the walk goes on", "[client][seed_scan]") {
  if (::geteuid() == 0) return;  // root reads everything
  Tree tree;
  tree.add("closed/a");
  tree.add("open/b");
  fs::permissions(tree.root() / "closed", fs::perms::none);
  const auto scan = scan_tree(tree.root(), NamespaceKind::generic);
  fs::permissions(tree.root() / "closed", fs::perms::owner_all);
  REQUIRE(scan);
  CHECK(taken(*scan) == Lines{"open/b"});
  CHECK(scan->unreadable.size() == 1);
}

TEST_CASE("a directory that is not there is an error", "[client][seed_scan]") {
  const auto scan = scan_tree("/nonexistent/build", NamespaceKind::generic);
  REQUIRE_FALSE(scan);
  CHECK(scan.error().code() == Errc::not_found);
}

}  // namespace
