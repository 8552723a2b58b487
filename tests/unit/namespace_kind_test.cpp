#include "common/namespace_kind.hpp"

#include "tests/support/catch.hpp"

using namespace larder;

TEST_CASE("kinds are known by their names", "[namespace_kind]") {
  for (const auto kind : {NamespaceKind::sstate, NamespaceKind::downloads, NamespaceKind::generic})
    CHECK(namespace_kind(name_of(kind)) == kind);
  for (const std::string_view name : {"", "sstat", "SSTATE", "sstate "}) CHECK_FALSE(namespace_kind(name));
}

TEST_CASE("growing VCS tarballs of a downloads namespace may be replaced", "[namespace_kind]") {
  for (const std::string_view path :
       {"git2_host.a.repo.git.tar.gz", "sub/dir/git2_x.tar.gz", "gitshallow_x_1a2b3c4-1_main.tar.gz",
        "gitsmshallow_x.tar.gz", "hg_m_h_p.tar.gz", "repo_x.tar.gz", "svn_x.tar.gz"}) {
    INFO(path);
    CHECK(overwrite_rule(NamespaceKind::downloads, path) == OverwriteRule::replaceable);
    CHECK(overwrite_rule(NamespaceKind::sstate, path) == OverwriteRule::write_once);
    CHECK(overwrite_rule(NamespaceKind::generic, path) == OverwriteRule::write_once);
  }
}

TEST_CASE("every other name is written once", "[namespace_kind]") {
  for (const std::string_view path :
       {"foo-1.0.tar.gz", "git2_/foo.tar.gz", "xgit2_foo", "git2", "git-2.40.tar.xz", "repository.tar.gz",
        "uninative/00/x86_64-nativesdk-libc-4.6.tar.xz"}) {
    INFO(path);
    CHECK(overwrite_rule(NamespaceKind::downloads, path) == OverwriteRule::write_once);
  }
}
