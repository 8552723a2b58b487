// Which files of a build's directory belong in a cache. Build directories hold
// more than artifacts: half-written files, locks, stamps, checkouts, links into
// other caches. `larder seed` and the daemon's adopt walk a tree and ask here;
// this file knows no disk.
//
// A walk judges every entry by its path relative to the walked directory. A
// directory whose verdict is to skip is not entered, so what lies below it needs
// no judgement of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/namespace_kind.hpp"

namespace larder {

// In a directory that `larder checkout` made: locked while it works there. Never an artifact.
inline constexpr std::string_view k_view_mark = ".larder-view.lock";

// Whether anything in the walked tree is named "*.done". BitBake leaves such a
// stamp beside every finished download, generated mirror tarballs included, and
// then a file without one is unfinished. Buildroot leaves none anywhere, and
// neither does a plain directory of tarballs; there, every file counts. Only
// namespaces of kind downloads ask, so other walks may say `none` unseen.
enum class DoneStamps { none, some };

struct TreeTraits {
  NamespaceKind kind = NamespaceKind::generic;
  DoneStamps done_stamps = DoneStamps::none;
};

enum class EntryType { file, directory, symlink, other };

struct EntryFacts {
  EntryType type = EntryType::file;         // by lstat: links are not followed
  std::uint64_t size = 0;                   // bytes; files only
  DoneStamps own_stamp = DoneStamps::none;  // `some`: NAME.done lies beside it
};

enum class SkipReason : std::uint8_t {
  none,  // take it (a directory: enter it)
  symlink,
  special_file,
  empty,
  temporary,
  lock,
  stamp,
  partial_download,
  bad_checksum,
  unfinished,
  checkout,
  flat_sstate,
  foreign,
  reserved_name,
  unstorable_name,
};

// Stable, for programs: "symlink", "partial-download" … ("" for none).
std::string_view name_of(SkipReason reason);
// For people, one clause without a full stop: "is a lock file".
std::string_view sentence_of(SkipReason reason);

struct Verdict {
  SkipReason reason = SkipReason::none;
  bool take() const { return reason == SkipReason::none; }
};

Verdict judge(const TreeTraits& tree, std::string_view relative_path, const EntryFacts& facts);

// True for names that make a tree DoneStamps::some.
bool is_done_stamp(std::string_view name);

// The names, below the namespace, under which a taken file is to be found. The
// first is its path as it is. In downloads a file of a subdirectory gets its bare
// name as well, unless that is reserved: BitBake's own-mirrors asks for nothing else.
// Two files of a tree can claim one bare name; the first to be published keeps it.
std::vector<std::string> published_names(NamespaceKind kind, std::string_view relative_path);

// An sstate archive, its .siginfo and its .sig are stored, refused and evicted
// together: they share the archive's path as their key. Other kinds have groups
// of one, and the key is the path itself.
std::string_view group_key(NamespaceKind kind, std::string_view relative_path);

// The order within a group: whoever sees a siginfo finds its archive.
enum class GroupRole : std::uint8_t { archive, siginfo, signature };
GroupRole group_role(NamespaceKind kind, std::string_view relative_path);

}  // namespace larder
