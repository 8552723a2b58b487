// Where things are below the data directory. ARCHITECTURE.md describes the
// format; this file is the only one that spells it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/artifact_key.hpp"
#include "common/digest.hpp"

namespace larder::layout {

inline const std::string k_tree = "tree";
inline const std::string k_objects = "objects";
inline const std::string k_snapshots = "snapshots";
inline const std::string k_trash = "trash";
inline const std::string k_quarantine = "quarantine";
inline const std::string k_staging = "tmp";
inline const std::string k_index = "index";
inline const std::string k_access = "access";  // tokens; see server/access/token_file.hpp
inline const std::string k_journal = "journal";
inline const std::string k_journal_lost = "journal/lost";  // there after a sync that reported a lost write
inline const std::string k_reserve = "reserve";            // see reserve.hpp
inline const std::string k_pins = "pins";                  // a file: names and patterns, one a line

// Holds k_format_line. Its absence in a directory with other content means
// that the directory is not larder's.
inline const std::string k_format = "format";
inline constexpr std::string_view k_format_line = "larder 1\n";

std::string tree_path(
    const ArtifactKey& key);  // tree/<namespace>/<path>, snapshots/<name>/<namespace>/<path>
std::string namespace_path(std::string_view space);  // tree/<namespace>, snapshots/<name>/<namespace>
// The key that a file of tree/ or snapshots/ stands for.
Result<ArtifactKey> parse_tree_path(std::string_view path);
std::string object_directory(const Digest& digest);  // objects/ab
// objects/ab/<sha256>, and .1, .2 … for further inodes of the same bytes
// where the file system limits the links of one.
std::string object_path(const Digest& digest, unsigned copy);
std::string staging_path(std::uint64_t number);  // tmp/<number>
std::string journal_path(unsigned segment);      // journal/<0 or 1>
std::string trash_path(std::uint64_t generation, const ArtifactKey& key);
std::string quarantine_path(std::uint64_t generation, const ArtifactKey& key);
// quarantine/<generation>/@objects/<sha256>: an inode whose bytes are not the content it was filed
// under. It stays until no name leads to it, and tells so much after a crash.
inline constexpr std::string_view k_condemned = "@objects";
std::string condemned_path(std::uint64_t generation, const Digest& digest);

// The digest that an entry of objects/ab stands for; false for any other name.
bool parse_object_name(std::string_view name, Digest& digest);

}  // namespace larder::layout
