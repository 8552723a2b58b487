// What a namespace holds. The kind decides how names are read, which may be
// overwritten, and what a seeding client leaves out.
#pragma once

#include <optional>
#include <string_view>

namespace larder {

enum class NamespaceKind {
  sstate,     // BitBake's SSTATE_DIR: write-once archives, .siginfo, .sig
  downloads,  // DL_DIR of BitBake or Buildroot: write-once but for growing VCS tarballs
  generic,    // anything; write-once
};

std::string_view name_of(NamespaceKind kind);
std::optional<NamespaceKind> namespace_kind(std::string_view name);

enum class OverwriteRule {
  write_once,   // the same bytes again are fine, other bytes are a conflict
  replaceable,  // a growing VCS tarball: the newest wins
};

// The rule for one name (path below the namespace). BitBake remakes
// git2_*, hg_* … mirror tarballs under the same name as the repository grows.
OverwriteRule overwrite_rule(NamespaceKind kind, std::string_view path);

}  // namespace larder
