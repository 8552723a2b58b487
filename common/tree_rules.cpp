#include "common/tree_rules.hpp"

#include <algorithm>
#include <array>

#include "common/artifact_key.hpp"
#include "common/name_list.hpp"

namespace larder {
namespace {

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// 0 for an entry of the walked directory itself.
std::size_t depth_of(std::string_view path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_alphanumeric(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

template <std::size_t n>
bool is_one_of(std::string_view text, const std::array<std::string_view, n>& list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

template <std::size_t n>
bool ends_with_one_of(std::string_view text, const std::array<std::string_view, n>& endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return text.ends_with(ending); });
}

// Python's tempfile: "tmp" and characters of [a-z0-9_], eight by default. A real
// download has at least a dot or a dash in its name.
bool is_python_temporary(std::string_view name) {
  if (!name.starts_with("tmp") || name.size() == 3) return false;
  name.remove_prefix(3);
  return std::all_of(name.begin(), name.end(), [](char c) { return is_lower_or_digit(c) || c == '_'; });
}

// Buildroot's download wrapper: mktemp FILE.XXXXXX. Six characters behind a
// whole file name; checksum files look alike and are wanted.
bool is_buildroot_temporary(std::string_view name) {
  constexpr std::size_t k_random = 6;
  if (name.size() <= k_random + 1 || name[name.size() - k_random - 1] != '.') return false;
  const std::string_view random = name.substr(name.size() - k_random);
  constexpr std::array<std::string_view, 4> k_checksums = {"sha224", "sha256", "sha384", "sha512"};
  if (!std::all_of(random.begin(), random.end(), is_alphanumeric) || is_one_of(random, k_checksums))
    return false;
  constexpr std::array<std::string_view, 22> k_finished = {
      ".gz",  ".bz2",   ".xz",  ".zst", ".lz",  ".lzma", ".tgz", ".tbz", ".tbz2",  ".txz",  ".tar",
      ".zip", ".crate", ".jar", ".deb", ".rpm", ".run",  ".bin", ".7z",  ".patch", ".diff", ".whl",
  };
  return ends_with_one_of(name.substr(0, name.size() - k_random - 1), k_finished);
}

// The sstate endings: .tgz up to honister, .tar.zst since kirkstone, bare or
// followed by .siginfo or .sig.
constexpr std::string_view k_siginfo = ".siginfo";
constexpr std::string_view k_signature = ".sig";

std::string_view without_companion_ending(std::string_view name) {
  for (const std::string_view ending : {k_siginfo, k_signature}) {
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  }
  return name;
}

bool ends_like_sstate(std::string_view name) {
  constexpr std::array<std::string_view, 2> k_archives = {".tar.zst", ".tgz"};
  return ends_with_one_of(without_companion_ending(name), k_archives);
}

// NAME.tar.zstXXXXXXXX, NAME.tar.zst.XXXXXXXX and NAME.tgz.XXXXXXXX: an archive
// that a build is still writing.
bool is_growing_sstate(std::string_view name) {
  constexpr std::size_t k_random = 8;
  if (name.size() <= k_random) return false;
  std::string_view stem = name.substr(0, name.size() - k_random);
  if (stem.ends_with('.')) stem.remove_suffix(1);
  return ends_like_sstate(stem);
}

Verdict skip(SkipReason reason) {
  return Verdict{reason};
}
constexpr Verdict k_take{};

Verdict judge_sstate_file(std::string_view path, std::string_view name) {
  if (is_python_temporary(name) || name.starts_with("sigtask.")) return skip(SkipReason::temporary);
  if (name.ends_with(".lock")) return skip(SkipReason::lock);
  if (is_done_stamp(name)) return skip(SkipReason::stamp);
  if (name.ends_with(".tmp")) return skip(SkipReason::partial_download);
  if (!name.starts_with("sstate:")) return skip(SkipReason::foreign);
  if (!ends_like_sstate(name)) {
    return skip(is_growing_sstate(name) ? SkipReason::temporary : SkipReason::foreign);
  }
  // Clients only ever ask below the hash directories; the real files are there.
  if (depth_of(path) == 0) return skip(SkipReason::flat_sstate);
  return k_take;
}

Verdict judge_download(const TreeTraits& tree, std::string_view name, const EntryFacts& facts) {
  if (is_done_stamp(name) || name.ends_with(".resolved")) return skip(SkipReason::stamp);
  if (name.ends_with(".lock")) return skip(SkipReason::lock);
  if (name.ends_with(".tmp")) return skip(SkipReason::partial_download);
  if (name.find("_bad-checksum_") != std::string_view::npos) return skip(SkipReason::bad_checksum);
  if (is_python_temporary(name)) return skip(SkipReason::temporary);
  if (tree.done_stamps == DoneStamps::some) {
    return facts.own_stamp == DoneStamps::some ? k_take : skip(SkipReason::unfinished);
  }
  return is_buildroot_temporary(name) ? skip(SkipReason::temporary) : k_take;
}

Verdict judge_directory(NamespaceKind kind, std::string_view path) {
  if (kind == NamespaceKind::generic) return k_take;
  const std::string_view name = base_name(path);
  if (is_python_temporary(name)) return skip(SkipReason::temporary);
  if (kind != NamespaceKind::downloads) return k_take;

  // BitBake's checkouts lie at the top, Buildroot's in each package's directory.
  // A top-level git/ is Buildroot's package of that name.
  constexpr std::array<std::string_view, 9> k_checkouts = {"git2", "svn", "hg",  "p4", "repo",
                                                           "ccrc", "bzr", "cvs", "osc"};
  if (depth_of(path) == 0) return is_one_of(name, k_checkouts) ? skip(SkipReason::checkout) : k_take;
  return name == "git" ? skip(SkipReason::checkout) : k_take;
}

}  // namespace

std::string_view name_of(SkipReason reason) {
  switch (reason) {
    case SkipReason::none: return "";
    case SkipReason::symlink: return "symlink";
    case SkipReason::special_file: return "special-file";
    case SkipReason::empty: return "empty";
    case SkipReason::temporary: return "temporary";
    case SkipReason::lock: return "lock";
    case SkipReason::stamp: return "stamp";
    case SkipReason::partial_download: return "partial-download";
    case SkipReason::bad_checksum: return "bad-checksum";
    case SkipReason::unfinished: return "unfinished";
    case SkipReason::checkout: return "checkout";
    case SkipReason::flat_sstate: return "flat-sstate";
    case SkipReason::foreign: return "foreign";
    case SkipReason::reserved_name: return "reserved-name";
    case SkipReason::unstorable_name: return "unstorable-name";
  }
  return "";
}

std::string_view sentence_of(SkipReason reason) {
  switch (reason) {
    case SkipReason::none: return "";
    case SkipReason::symlink: return "is a symbolic link, most likely into another mirror";
    case SkipReason::special_file: return "is neither a file nor a directory";
    case SkipReason::empty: return "is empty; clients take an empty file for an error";
    case SkipReason::temporary: return "is a temporary file of a running or interrupted build";
    case SkipReason::lock: return "is a lock file";
    case SkipReason::stamp: return "is a stamp of the fetcher, of use in its own directory only";
    case SkipReason::partial_download: return "is a download that was never finished";
    case SkipReason::bad_checksum: return "was put aside by the fetcher for its wrong checksum";
    case SkipReason::unfinished: return "has no .done stamp, so the fetcher has not finished it";
    case SkipReason::checkout: return "is a version control checkout; its mirror tarball is what is shared";
    case SkipReason::flat_sstate: return "lies outside the hash directories, where no client asks for it";
    case SkipReason::foreign: return "is not named like an sstate file";
    case SkipReason::reserved_name: return "has the name under which the server lists all names";
    case SkipReason::unstorable_name:
      return "has a name that no cache can serve (control characters, no UTF-8, too long)";
  }
  return "";
}

bool is_done_stamp(std::string_view name) {
  return name.ends_with(".done");
}

Verdict judge(const TreeTraits& tree, std::string_view relative_path, const EntryFacts& facts) {
  if (facts.type == EntryType::symlink) return skip(SkipReason::symlink);
  if (facts.type == EntryType::other) return skip(SkipReason::special_file);
  if (!path_defect(relative_path).empty()) return skip(SkipReason::unstorable_name);
  if (facts.type == EntryType::directory) return judge_directory(tree.kind, relative_path);
  if (relative_path == k_view_mark) return skip(SkipReason::lock);
  if (relative_path == k_name_list) return skip(SkipReason::reserved_name);

  Verdict verdict;
  const std::string_view name = base_name(relative_path);
  if (tree.kind == NamespaceKind::sstate) verdict = judge_sstate_file(relative_path, name);
  if (tree.kind == NamespaceKind::downloads) verdict = judge_download(tree, name, facts);
  // Last, so that an empty .lock is called a lock.
  if (verdict.take() && facts.size == 0) return skip(SkipReason::empty);
  return verdict;
}

std::vector<std::string> published_names(NamespaceKind kind, std::string_view relative_path) {
  std::vector<std::string> names = {std::string(relative_path)};
  const std::string_view bare = base_name(relative_path);
  if (kind == NamespaceKind::downloads && depth_of(relative_path) > 0 && bare != k_name_list)
    names.emplace_back(bare);
  return names;
}

std::string_view group_key(NamespaceKind kind, std::string_view relative_path) {
  if (kind != NamespaceKind::sstate || !ends_like_sstate(relative_path)) return relative_path;
  return without_companion_ending(relative_path);
}

GroupRole group_role(NamespaceKind kind, std::string_view relative_path) {
  if (group_key(kind, relative_path).size() == relative_path.size()) return GroupRole::archive;
  return relative_path.ends_with(k_siginfo) ? GroupRole::siginfo : GroupRole::signature;
}

}  // namespace larder
