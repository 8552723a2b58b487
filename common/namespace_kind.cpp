#include "common/namespace_kind.hpp"

#include <array>

namespace larder {

std::string_view name_of(NamespaceKind kind) {
  switch (kind) {
    case NamespaceKind::sstate: return "sstate";
    case NamespaceKind::downloads: return "downloads";
    case NamespaceKind::generic: return "generic";
  }
  return "generic";
}

std::optional<NamespaceKind> namespace_kind(std::string_view name) {
  if (name == "sstate") return NamespaceKind::sstate;
  if (name == "downloads") return NamespaceKind::downloads;
  if (name == "generic") return NamespaceKind::generic;
  return std::nullopt;
}

OverwriteRule overwrite_rule(NamespaceKind kind, std::string_view path) {
  if (kind != NamespaceKind::downloads) return OverwriteRule::write_once;
  constexpr std::array<std::string_view, 10> k_growing = {
      "git2_", "gitshallow_", "gitsmshallow_", "hg_", "repo_", "svn_", "bzr_", "p4_", "cvs_", "osc_",
  };
  const auto slash = path.rfind('/');
  const std::string_view base = slash == std::string_view::npos ? path : path.substr(slash + 1);
  for (const std::string_view prefix : k_growing) {
    if (base.starts_with(prefix)) return OverwriteRule::replaceable;
  }
  return OverwriteRule::write_once;
}

}  // namespace larder
