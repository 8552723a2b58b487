#include "common/tree_rules.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace {

using namespace larder;

const std::string k_hash(64, 'a');
const std::string k_archive = "sstate:zlib:core2-64-poky-linux:1.3+git0+0a1b~rc1:r0:core2-64:14:" + k_hash +
                              "_populate_sysroot.tar.zst";

constexpr TreeTraits k_sstate{NamespaceKind::sstate, DoneStamps::none};
constexpr TreeTraits k_bitbake{NamespaceKind::downloads, DoneStamps::some};
constexpr TreeTraits k_buildroot{NamespaceKind::downloads, DoneStamps::none};
constexpr TreeTraits k_generic{NamespaceKind::generic, DoneStamps::none};

constexpr EntryFacts k_file{EntryType::file, 100, DoneStamps::none};
constexpr EntryFacts k_stamped{EntryType::file, 100, DoneStamps::some};
constexpr EntryFacts k_directory{EntryType::directory, 0, DoneStamps::none};

struct Case {
  std::string path;
  std::string reason;  // empty: taken
};

void check_all(const TreeTraits& tree, const EntryFacts& facts, const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    INFO(each.path);
    CHECK(std::string(name_of(judge(tree, each.path, facts).reason)) == each.reason);
  }
}

TEST_CASE("every form of sealed sstate file is taken", "[tree_rules]") {
  const std::string swspec = "sstate:zlib::1.3:r0::14:" + k_hash + "_populate_lic.tar.zst";
  const std::string honister =
      "sstate:zlib:i586-poky-linux:1.2:r0:i586:3:" + k_hash + "_package_write_ipk.tgz";
  check_all(k_sstate, k_file,
            {{"aa/aa/" + k_archive, ""},
             {"aa/aa/" + k_archive + ".siginfo", ""},
             {"aa/aa/" + k_archive + ".sig", ""},
             {"universal/aa/aa/" + k_archive, ""},
             {"debian-12/aa/aa/" + k_archive, ""},
             {"aa/" + honister, ""},  // zeus and older had one level
             {"aa/aa/" + honister + ".siginfo", ""},
             {"aa/aa/" + swspec, ""},
             {"aa/aa/" + swspec + ".siginfo", ""}});
}

TEST_CASE("what a build leaves between its sstate files is skipped, each for its reason", "[tree_rules]") {
  const std::string path = "aa/aa/" + k_archive;
  check_all(k_sstate, k_file,
            {{path + "x3_9kq0z", "temporary"},
             {path + ".aB3dE9fG", "temporary"},
             {"aa/aa/sstate:zlib:x:1:r0:y:3:" + k_hash + "_package.tgz.Zz09aAbB", "temporary"},
             {"aa/aa/sigtask.x1y2z3", "temporary"},
             {"aa/aa/tmpab12cd34", "temporary"},
             {path + ".tmp", "partial-download"},
             {path + ".siginfo.tmp", "partial-download"},
             {path + ".lock", "lock"},
             {path.substr(0, 240) + ".lock", "lock"},
             {path + ".done", "stamp"},
             {path + ".siginfo.done", "stamp"},
             {k_archive, "flat-sstate"},
             {k_archive + ".siginfo", "flat-sstate"},
             {"README", "foreign"},
             {"aa/aa/zlib.tar.zst", "foreign"},
             {"aa/aa/sstate:zlib", "foreign"}});
}

TEST_CASE("an empty file is skipped, but a lock stays a lock", "[tree_rules]") {
  constexpr EntryFacts k_empty{EntryType::file, 0, DoneStamps::some};
  check_all(k_sstate, k_empty, {{"aa/aa/" + k_archive, "empty"}, {"aa/aa/" + k_archive + ".lock", "lock"}});
  check_all(k_bitbake, k_empty, {{"a.tar.gz", "empty"}, {"a.tar.gz.done", "stamp"}});
  check_all(k_generic, k_empty, {{"a", "empty"}});
  constexpr EntryFacts k_one_byte{EntryType::file, 1, DoneStamps::some};
  check_all(k_bitbake, k_one_byte, {{"a.tar.gz", ""}});
}

TEST_CASE("links and special files are skipped in every kind of tree", "[tree_rules]") {
  for (const TreeTraits& tree : {k_sstate, k_bitbake, k_buildroot, k_generic}) {
    EntryFacts facts = k_stamped;
    facts.type = EntryType::symlink;
    check_all(tree, facts, {{"aa/aa/" + k_archive, "symlink"}, {"git2", "symlink"}});
    facts.type = EntryType::other;
    check_all(tree, facts, {{"aa/aa/" + k_archive, "special-file"}});
  }
}

TEST_CASE("names no cache can serve are skipped", "[tree_rules]") {
  check_all(k_generic, k_file,
            {{"a\nb", "unstorable-name"},
             {"caf\xE9", "unstorable-name"},
             {std::string(256, 'a'), "unstorable-name"},
             {std::string(255, 'a'), ""},
             {"caf\xC3\xA9 (1)+~.tar.gz", ""}});
  check_all(k_generic, k_directory, {{"a\x01", "unstorable-name"}});
}

TEST_CASE("sstate walks enter all directories but the signing build's", "[tree_rules]") {
  check_all(k_sstate, k_directory,
            {{"aa", ""},
             {"aa/aa", ""},
             {"universal", ""},
             {"git2", ""},
             {"aa/aa/tmp1a_b2c3d", "temporary"},
             {"tmp1a_b2c3d", "temporary"}});
}

TEST_CASE("BitBake's checkouts are not entered, Buildroot's neither", "[tree_rules]") {
  for (const TreeTraits& tree : {k_bitbake, k_buildroot}) {
    check_all(tree, k_directory,
              {{"git2", "checkout"},
               {"svn", "checkout"},
               {"hg", "checkout"},
               {"p4", "checkout"},
               {"repo", "checkout"},
               {"ccrc", "checkout"},
               {"linux/git", "checkout"},
               {"git/git", "checkout"},
               {"git", ""},  // the package of that name
               {"npm2", ""},
               {"uninative", ""},
               {"uninative/" + k_hash, ""},
               {"sub/repo", ""},
               {"tmpq1w2e3r4", "temporary"}});
  }
}

TEST_CASE("where BitBake keeps stamps, only stamped downloads are taken", "[tree_rules]") {
  check_all(k_bitbake, k_stamped,
            {{"zlib-1.3.tar.gz", ""},
             {"git2_git.yoctoproject.org.poky.git.tar.gz", ""},
             {"gitshallow_host.repo_0a1b2c3-1_main.tar.gz", ""},
             {"npm2/left-pad-1.0.0.tgz", ""},
             {"uninative/" + k_hash + "/x86_64-nativesdk-libc-4.4.tar.xz", ""},
             {"data.abcdef", ""},
             {"tmp-tools-1.0.tar.gz", ""},
             {"zlib-1.3.tar.gz.done", "stamp"},
             {"zlib-1.3.tar.gz_bad-checksum_0a1b", "bad-checksum"}});
  check_all(k_bitbake, k_file,
            {{"zlib-1.3.tar.gz", "unfinished"},
             {"npm2/left-pad-1.0.0.tgz", "unfinished"},
             {"zlib-1.3.tar.gz.tmp", "partial-download"},
             {"zlib-1.3.tar.gz.lock", "lock"},
             {"zlib-1.3.tar.gz.resolved", "stamp"},
             {"zlib-1.3.tar.gz_bad-checksum_0a1b", "bad-checksum"},
             {"tmpq1w2e3r4", "temporary"}});
}

TEST_CASE("without stamps every finished download is taken", "[tree_rules]") {
  check_all(k_buildroot, k_file,
            {{"zlib/zlib-1.3.tar.xz", ""},
             {"uboot/uboot-2024.01-git4.tar.gz", ""},
             {"zlib-1.3.tar.xz", ""},
             {"zlib/zlib-1.3.tar.xz.sha256", ""},
             {"zlib/zlib-1.3.tar.xz.sig", ""},
             {"linux/v6.1.abcdef", ""},
             {"zlib/zlib-1.3.tar.xz.aB3dE9", "temporary"},
             {"zlib/0001-fix.patch.000000", "temporary"},
             {"zlib/zlib-1.3.tar.xz.aB3dE", ""},
             {"zlib/.lock", "lock"},
             {"zlib/zlib-1.3.tar.xz.tmp", "partial-download"}});
}

TEST_CASE("a generic tree is taken as it is", "[tree_rules]") {
  check_all(k_generic, k_file, {{"a.lock", ""}, {"b/c.tmp", ""}, {"tmpq1w2e3r4", ""}, {".hidden", ""}});
  check_all(k_generic, k_directory, {{"git2", ""}, {"tmpq1w2e3r4", ""}});
}

TEST_CASE("the name of the list of names is left out at the top, and there only", "[tree_rules]") {
  for (const TreeTraits& tree : {k_generic, k_buildroot, k_bitbake, k_sstate})
    check_all(tree, k_stamped, {{"index.txt", "reserved-name"}});
  check_all(k_generic, k_file, {{"d/index.txt", ""}});
  check_all(k_generic, k_directory, {{"index.txt", ""}});
  CHECK(published_names(NamespaceKind::downloads, "d/index.txt") == std::vector<std::string>{"d/index.txt"});
}

TEST_CASE("a download in a subdirectory is published under its bare name, too", "[tree_rules]") {
  using Names = std::vector<std::string>;
  CHECK(published_names(NamespaceKind::downloads, "a.tgz") == Names{"a.tgz"});
  CHECK(published_names(NamespaceKind::downloads, "npm2/a.tgz") == Names{"npm2/a.tgz", "a.tgz"});
  CHECK(published_names(NamespaceKind::downloads, "uninative/0a/libc.tar.xz") ==
        Names{"uninative/0a/libc.tar.xz", "libc.tar.xz"});
  CHECK(published_names(NamespaceKind::sstate, "aa/aa/x") == Names{"aa/aa/x"});
  CHECK(published_names(NamespaceKind::generic, "d/x") == Names{"d/x"});
}

TEST_CASE("an archive, its siginfo and its signature are one group", "[tree_rules]") {
  const std::string path = "aa/aa/" + k_archive;
  CHECK(group_key(NamespaceKind::sstate, path) == path);
  CHECK(group_key(NamespaceKind::sstate, path + ".siginfo") == path);
  CHECK(group_key(NamespaceKind::sstate, path + ".sig") == path);
  CHECK(group_role(NamespaceKind::sstate, path) == GroupRole::archive);
  CHECK(group_role(NamespaceKind::sstate, path + ".siginfo") == GroupRole::siginfo);
  CHECK(group_role(NamespaceKind::sstate, path + ".sig") == GroupRole::signature);
  // An upstream's detached signature is a download of its own.
  CHECK(group_key(NamespaceKind::downloads, "zlib.tgz.sig") == "zlib.tgz.sig");
  CHECK(group_role(NamespaceKind::downloads, "zlib.tgz.sig") == GroupRole::archive);
}

TEST_CASE("every reason has a stable name and a sentence", "[tree_rules]") {
  for (int i = 1; i <= static_cast<int>(SkipReason::unstorable_name); ++i) {
    CHECK_FALSE(name_of(static_cast<SkipReason>(i)).empty());
    CHECK_FALSE(sentence_of(static_cast<SkipReason>(i)).empty());
  }
  CHECK(is_done_stamp("a.tar.gz.done"));
  CHECK_FALSE(is_done_stamp("a.done.tar.gz"));
}

}  // namespace
