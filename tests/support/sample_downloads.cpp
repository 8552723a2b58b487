#include <algorithm>
#include <array>
#include <string>

#include "tests/support/sample_content.hpp"
#include "tests/support/sample_tree.hpp"
#include "tests/support/sample_writer.hpp"

namespace larder::test {
namespace {

class DownloadsTree {
 public:
  DownloadsTree(const std::filesystem::path& directory, const DownloadsTreeOptions& options)
      : options_(options), dice_(options.seed), content_(dice_), writer_(directory) {}

  Manifest make() {
    const bool bitbake = options_.layout == DownloadsLayout::bitbake;
    while (writer_.taken() < options_.objects) bitbake ? add_source() : add_buildroot_source();
    if (options_.junk == Junk::some) bitbake ? add_junk() : add_buildroot_junk();
    return writer_.finish();
  }

 private:
  std::size_t size() {
    const double wanted = dice_.log_normal(options_.median_size, options_.sigma);
    return static_cast<std::size_t>(std::clamp(wanted, 100.0, 1000 * options_.median_size));
  }

  std::string version() {
    return std::to_string(dice_.below(30)) + "." + std::to_string(dice_.below(20)) + "." +
           std::to_string(dice_.below(10));
  }
  // A name with a number in it: every base name comes once in a tree.
  std::string project(std::string_view stem) { return std::string(stem) + std::to_string(++count_); }

  // BitBake stamps what it has checked; without the stamp a file is not finished.
  void take(const std::string& path, std::string_view bytes) {
    writer_.take(path, bytes);
    writer_.skip(path + ".done", content_.noise(60), "stamp");
  }

  // The kinds in turn, so that a small tree has them all.
  void add_source() {
    switch (kind_++ % 14) {
      case 0: return tarball(project("zlib") + "-" + version(), ".tar.gz", Compression::gzip);
      case 1: return tarball(project("coreutils") + "-" + version(), ".tar.xz", Compression::xz);
      case 2:
        return tarball(project("git2_git.example.org.kernel.linux-yocto") + ".git", ".tar.gz",
                       Compression::gzip);
      case 3:
        return tarball("gitshallow_" + project("git.example.org.firmware") + "_" + dice_.hex(7) + "-1_main",
                       ".tar.gz", Compression::gzip);
      case 4: return tarball("npm2/" + project("left-pad") + "-" + version(), ".tgz", Compression::gzip);
      case 5:
        return tarball("uninative/" + dice_.hex(64) + "/" + project("x86_64-nativesdk-libc-4."), ".tar.xz",
                       Compression::xz);
      case 6: return tarball(project("serde") + "-" + version(), ".crate", Compression::gzip);
      case 7:
        return take(project("github.com.Masterminds.semver") + "@v3.2.0.zip", content_.zip(size(), "semver"));
      case 8: return take(project("0001-fix-build") + ".patch", patch());
      case 9: return tarball(project("libsigc++") + "-" + version() + "~rc1", ".tar.zst", Compression::zstd);
      case 10:
        return tarball("hg_" + project("module") + "_hg.example.org_repos", ".tar.gz", Compression::gzip);
      case 11:
        return tarball("vendor/" + project("blob") + "/" + project("firmware"), ".tgz", Compression::gzip);
      case 12: return take(project("config") + ".guess", patch());
      default: return take(project("v") + "." + version() + ".zip", content_.zip(size(), "app"));
    }
  }

  void tarball(const std::string& stem, std::string_view extension, Compression compression) {
    const std::size_t cost = compression == Compression::xz ? std::min<std::size_t>(size(), 200'000) : size();
    take(stem + std::string(extension), content_.tar(cost, compression, "source"));
  }

  std::string patch() {
    std::string text = "--- a/configure\n+++ b/configure\n@@ -1,2 +1,2 @@\n";
    for (std::size_t i = 3 + dice_.below(200); i > 0; --i) text += "+" + dice_.suffix(30) + "\n";
    return text;
  }

  void add_junk() {
    add_clones();
    const std::string half = content_.tar(20'000, Compression::gzip, "half").substr(0, 9000);
    writer_.skip("tmp" + dice_.suffix(8), half, "temporary file");
    writer_.skip("tmp" + dice_.suffix(8) + "/" + project("curl") + ".tar.gz", half,
                 "in a temporary directory");
    writer_.skip(project("bash") + ".tar.gz.tmp", half, "download under way");
    writer_.skip(project("sed") + ".tar.gz.tmp", {}, "empty, left by a failed download");
    writer_.skip(project("gawk") + ".tar.gz", half, "no stamp: still arriving");
    const std::string locked = project("make") + ".tar.gz";
    take(locked, content_.tar(3000, Compression::gzip, "make"));
    writer_.skip(locked + ".lock", {}, "lock");
    writer_.skip(project("grep") + ".tar.gz.resolved", "resolved", "stamp");
    const std::string bad = project("tar") + ".tar.gz_bad-checksum_" + dice_.hex(64);
    writer_.skip(bad, half, "wrong checksum");
    const std::string empty = project("empty") + ".tar.gz";
    writer_.skip(empty, {}, "empty");
    writer_.skip(empty + ".done", {}, "stamp");
    const std::string link = project("link") + ".tar.gz";
    writer_.link(link, writer_.root() / locked, "link");
    writer_.skip(link + ".done", {}, "stamp");
    writer_.link(project("dangling") + ".tar.gz", "/nonexistent/mirror/dangling.tar.gz", "dangling link");
  }

  void add_clones() {
    const std::string clone = "git2/" + project("git.example.org.busybox") + ".git";
    writer_.skip(clone + "/HEAD", "ref: refs/heads/master\n", "in a clone");
    writer_.skip(clone + "/objects/pack/pack-" + dice_.hex(40) + ".pack", content_.noise(5000), "in a clone");
    writer_.skip(clone + ".done", {}, "stamp");
    writer_.skip(clone + ".lock", {}, "lock");
    for (const std::string_view tool : {"svn", "hg", "p4", "repo", "ccrc"})
      writer_.skip(std::string(tool) + "/host/module/file.tar.gz", content_.noise(300), "in a checkout");
  }

  // Buildroot: PACKAGE/FILE, no stamps; its own archives carry a format number.
  void add_buildroot_source() {
    const std::string package = project("pkg");
    const std::string stem = package + "/" + package + "-" + version();
    const auto put = [&](const std::string& extension, Compression compression) {
      writer_.take(stem + extension,
                   content_.tar(std::min<std::size_t>(size(), 400'000), compression, package));
    };
    switch (kind_++ % 5) {
      case 0: return put(".tar.xz", Compression::xz);
      case 1: return put("-git4.tar.gz", Compression::gzip);
      case 2: return put("+dfsg-cargo6.tar.gz", Compression::gzip);
      case 3: return writer_.take(stem + ".patch", patch());
      default: return put(".tar.gz", Compression::gzip);
    }
  }

  void add_buildroot_junk() {
    const std::string package = project("pkg");
    writer_.skip(package + "/.lock", {}, "lock");
    writer_.skip(package + "/git/HEAD", "ref: refs/heads/master\n", "in a clone");
    writer_.skip(package + "/git/objects/pack/pack-" + dice_.hex(40) + ".pack", content_.noise(3000),
                 "in a clone");
    writer_.skip(package + "/" + package + "-1.0.tar.gz." + dice_.text(6, "ABCDEFabcdef0123456789"),
                 content_.noise(800), "temporary file");
    writer_.skip(package + "/" + package + "-2.0.tar.gz", {}, "empty");
  }

  const DownloadsTreeOptions& options_;
  Dice dice_;
  SampleContent content_;
  SampleWriter writer_;
  std::uint64_t kind_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace

Manifest make_downloads_tree(const std::filesystem::path& directory, const DownloadsTreeOptions& options) {
  return DownloadsTree(directory, options).make();
}

}  // namespace larder::test
