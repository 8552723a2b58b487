// What a directory holds for a namespace: the files to publish, and what is left
// out, with the reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/namespace_kind.hpp"
#include "common/result.hpp"
#include "common/tree_rules.hpp"

namespace larder::client {

// What tells one state of a file from another without reading it.
struct FileState {
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  // since 1970
  bool operator==(const FileState&) const = default;
};

struct FoundFile {
  std::string path;  // relative to the directory
  FileState state;
};

struct LeftOut {
  std::string path;
  SkipReason reason = SkipReason::none;
};

struct Scan {
  std::vector<FoundFile> files;   // sorted by path
  std::vector<LeftOut> left_out;  // sorted by path; a directory stands for all below it
  std::vector<Error> unreadable;  // directories and files that could not be looked at
};

// Walks `directory`. Fails only if the directory itself cannot be read or an
// interrupt ends the walk; what vanishes meanwhile was never there.
Result<Scan> scan_tree(const std::filesystem::path& directory, NamespaceKind kind);

}  // namespace larder::client
