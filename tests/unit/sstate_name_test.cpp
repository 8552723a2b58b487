#include "common/sstate_name.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace larder;

namespace {

const std::string k_hash = "abcd" + std::string(60, '0');

// A path from one with HASH where the hash goes.
std::string with_hash(std::string path) {
  const auto at = path.find("HASH");
  if (at != std::string::npos) path.replace(at, 4, k_hash);
  return path;
}

struct Case {
  std::string path;
  std::string extra, hash_directories, pn, target, pv, pr, pkgarch, version, task, extension;
  Companion companion = Companion::none;
};

}  // namespace

TEST_CASE("the names of every release are taken apart", "[sstate_name]") {
  const auto table = std::vector<Case>{
      // styhead up to master
      {"ab/cd/sstate:zlib:core2-64-poky-linux:1.3.1:r0:core2-64:14:HASH_package_write_ipk.tar.zst", "",
       "ab/cd", "zlib", "core2-64-poky-linux", "1.3.1", "r0", "core2-64", "14", "package_write_ipk",
       "tar.zst"},
      {"universal/ab/cd/"
       "sstate:zlib-native:x86_64-linux:1.3.1:r0:x86_64:14:HASH_populate_sysroot.tar.zst.siginfo",
       "universal", "ab/cd", "zlib-native", "x86_64-linux", "1.3.1", "r0", "x86_64", "14", "populate_sysroot",
       "tar.zst", Companion::siginfo},
      {"debian-12/ab/cd/"
       "sstate:gcc-cross-x86_64:x86_64-poky-linux:14.2.0:r0:x86_64:14:HASH_package.tar.zst.sig",
       "debian-12", "ab/cd", "gcc-cross-x86_64", "x86_64-poky-linux", "14.2.0", "r0", "x86_64", "14",
       "package", "tar.zst", Companion::sig},
      {"ab/cd/sstate:zlib::1.3.1:r0::14:HASH_populate_lic.tar.zst", "", "ab/cd", "zlib", "", "1.3.1", "r0",
       "", "14", "populate_lic", "tar.zst"},
      // scarthgap, mickledore, kirkstone (and isar)
      {"ab/cd/"
       "sstate:packagegroup-core-boot:qemux86_64-poky-linux:1.0:r17:qemux86_64:12:HASH_packagedata.tar.zst",
       "", "ab/cd", "packagegroup-core-boot", "qemux86_64-poky-linux", "1.0", "r17", "qemux86_64", "12",
       "packagedata", "tar.zst"},
      {"ab/cd/sstate:perl:core2-64-poky-linux:5.36.1:r0:core2-64:11:HASH_deploy_source_date_epoch.tar.zst",
       "", "ab/cd", "perl", "core2-64-poky-linux", "5.36.1", "r0", "core2-64", "11",
       "deploy_source_date_epoch", "tar.zst"},
      {"ab/cd/sstate:isar-bootstrap-target:debian-bookworm-amd64:1.0:r0:amd64:10:HASH_bootstrap.tar.zst", "",
       "ab/cd", "isar-bootstrap-target", "debian-bookworm-amd64", "1.0", "r0", "amd64", "10", "bootstrap",
       "tar.zst"},
      // honister, hardknott and dunfell
      {"ab/cd/sstate:zlib:core2-64-poky-linux:1.2.11:r0:core2-64:7:HASH_package.tgz", "", "ab/cd", "zlib",
       "core2-64-poky-linux", "1.2.11", "r0", "core2-64", "7", "package", "tgz"},
      {"universal/ab/cd/sstate:zlib-native:x86_64-linux:1.2.11:r0:x86_64:3:HASH_patch.tgz.siginfo",
       "universal", "ab/cd", "zlib-native", "x86_64-linux", "1.2.11", "r0", "x86_64", "3", "patch", "tgz",
       Companion::siginfo},
      // zeus and older: one level of directories; old clients: none
      {"ab/sstate:zlib:core2-64-poky-linux:1.2.11:r0:core2-64:3:HASH_package.tgz", "", "ab", "zlib",
       "core2-64-poky-linux", "1.2.11", "r0", "core2-64", "3", "package", "tgz"},
      {"universal-4.8/ab/sstate:m4-native:x86_64-linux:1.4.18:r0:x86_64:3:HASH_package.tgz.sig",
       "universal-4.8", "ab", "m4-native", "x86_64-linux", "1.4.18", "r0", "x86_64", "3", "package", "tgz",
       Companion::sig},
      {"sstate:zlib:core2-64-poky-linux:1.2.11:r0:core2-64:3:HASH_package.tgz", "", "", "zlib",
       "core2-64-poky-linux", "1.2.11", "r0", "core2-64", "3", "package", "tgz"},
      // marks in the fields, and fields cut short
      {"ab/cd/"
       "sstate:libstdc++-dev_x.y:a_b-c-linux-gnueabi:1.0+git0+0a1b~rc1:r0.1:x86_64_sdk:14:HASH_package_qa."
       "tar.zst",
       "", "ab/cd", "libstdc++-dev_x.y", "a_b-c-linux-gnueabi", "1.0+git0+0a1b~rc1", "r0.1", "x86_64_sdk",
       "14", "package_qa", "tar.zst"},
      {"ab/cd/sstate:" + std::string(90, 'p') + ":cor:1.0:r0:allarch:14:HASH_packagedata.tar.zst", "",
       "ab/cd", std::string(90, 'p'), "cor", "1.0", "r0", "allarch", "14", "packagedata", "tar.zst"},
      // a name in a directory that is not its own keeps it as a prefix
      {"de/ad/sstate:z:t:1:r0:a:14:HASH_package.tar.zst", "de/ad", "", "z", "t", "1", "r0", "a", "14",
       "package", "tar.zst"},
      {"xab/cd/sstate:z:t:1:r0:a:14:HASH_package.tar.zst", "xab/cd", "", "z", "t", "1", "r0", "a", "14",
       "package", "tar.zst"},
  };
  for (const Case& expected : table) {
    const std::string path = with_hash(expected.path);
    INFO(path);
    const auto name = parse_sstate_name(path);
    REQUIRE(name.has_value());
    CHECK(name->extra == expected.extra);
    CHECK(name->hash_directories == expected.hash_directories);
    CHECK(name->pn == expected.pn);
    CHECK(name->target == expected.target);
    CHECK(name->pv == expected.pv);
    CHECK(name->pr == expected.pr);
    CHECK(name->pkgarch == expected.pkgarch);
    CHECK(name->version == expected.version);
    CHECK(name->hash == k_hash);
    CHECK(name->task == expected.task);
    CHECK(name->extension == expected.extension);
    CHECK(name->companion == expected.companion);
    CHECK(name->is_software() == expected.pkgarch.empty());
  }
}

TEST_CASE("what a build tree holds beside sstate objects has no sstate name", "[sstate_name]") {
  const std::string good = with_hash("ab/cd/sstate:z:t:1:r0:a:14:HASH_package.tar.zst");
  REQUIRE(parse_sstate_name(good).has_value());
  for (const std::string suffix : {"abcdefgh", ".abcdefgh", ".tmp", ".lock", ".done", ".siginfo.done",
                                   ".siginfo.sig", ".siginfo.tmp", ".SIG", ".", "/"}) {
    INFO(suffix);
    CHECK_FALSE(parse_sstate_name(good + suffix));
  }
  for (const std::string path : {
           "",
           "/",
           "foo.tar.zst",
           "ab/cd/sigtask.x",
           "sstate:",
           "sstate:::::::",
           "ab/cd/xsstate:z:t:1:r0:a:14:HASH_package.tar.zst",
           "ab/cd/sstate::t:1:r0:a:14:HASH_package.tar.zst",  // no PN
           "ab/cd/sstate:z:t:1:r0:a::HASH_package.tar.zst",   // no VERSION
           "ab/cd/sstate:z:t:1:r0:a:x14:HASH_package.tar.zst",
           "ab/cd/sstate:z:t:1:r0:14:HASH_package.tar.zst",  // a field too few, one too many
           "ab/cd/sstate:z:t:1:r0:a:b:14:HASH_package.tar.zst",
           "ab/cd/sstate:z:t:1:r0:a:14:HASH_.tar.zst",  // no TASK
           "ab/cd/sstate:z:t:1:r0:a:14:HASH.tar.zst",
           "ab/cd/sstate:z:t:1:r0:a:14:HASHpackage.tar.zst",
           "ab/cd/sstate:z:t:1:r0:a:14:HASH0_package.tar.zst",  // hashes of other lengths
           "ab/cd/sstate:z:t:1:r0:a:14:INVALID_package.tar.zst",
           "ab/cd/sstate:z:t:1:r0:a:14:HASH_Package.tar.zst",
           "ab/cd/sstate:z:t:1:r0:a:14:HASH_pack-age.tar.zst",
           "ab/cd/sstate:z:t:1:r0:a:14:HASH_package.tar.gz",
           "ab/cd/sstate:z:t:1:r0:a:14:HASH_package.tar.zst.tgz",
           "ab/cd/sstate:z:t:1:r0:a:14:HASH_package",
           "ab/cd/sstate:z:t:1:r0:a:14:HASH_package.siginfo",
           "sstate:z:t:1:r0:a:14:HASH_package.tar.zst/x",
       }) {
    INFO(path);
    CHECK_FALSE(parse_sstate_name(with_hash(path)));
  }
  std::string upper = good;
  upper[upper.find(k_hash)] = 'A';
  CHECK_FALSE(parse_sstate_name(upper));
}

TEST_CASE("paths with empty components have no sstate name", "[sstate_name]") {
  const std::string base = with_hash("sstate:z:t:1:r0:a:14:HASH_package.tar.zst");
  for (const std::string directory : {"/", "/ab/", "//", "/ab/cd/", "x//ab/cd/", "ab//cd/", "ab/cd//"}) {
    INFO(directory);
    CHECK_FALSE(parse_sstate_name(directory + base));
  }
}

TEST_CASE("the siginfo and the signature of a path lead to its archive", "[sstate_name]") {
  for (const std::string extension : {".tar.zst", ".tgz"}) {
    const std::string archive = "universal/ab/cd/sstate:z" + extension;
    CHECK(group_of(archive) == archive);
    CHECK(group_of(archive + ".siginfo") == archive);
    CHECK(group_of(archive + ".sig") == archive);
  }
}

TEST_CASE("any other path is a group of its own", "[sstate_name]") {
  for (const std::string path : {"", "foo", "foo.sig", "foo.siginfo", "foo.tar.gz.sig", "foo.tar.xz.sig",
                                 "a.tar.zst.siginfo.sig", "a.tar.zst.sig/b", ".sig", "a.tar.zst.tmp"}) {
    INFO(path);
    CHECK(group_of(path) == path);
  }
}
