// What a tree of artifacts holds, with the digest of each file.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/tree_source.hpp"
#include "common/digest_list.hpp"
#include "common/namespace_kind.hpp"
#include "common/result.hpp"

namespace larder::client {

struct TreeListing {
  std::vector<ListedFile> files;
  std::vector<Error> unreadable;  // of a directory: what could not be hashed
};

// What the threads are at; read by another one that shows it.
struct HashFigures {
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> total{0};
  std::atomic<std::uint64_t> done_bytes{0};
  std::atomic<std::uint64_t> total_bytes{0};
};

// What seeding would take, hashed by `jobs` threads. Fails when the directory cannot be read
// or on an interrupt; what vanishes meanwhile was never there.
Result<TreeListing> list_directory(const std::string& directory, NamespaceKind kind, unsigned jobs,
                                   HashFigures& figures);

// Asks the server; reads no artifact.
Result<TreeListing> list_namespace(const TreeSource& source);

struct ListingOptions {
  std::optional<NamespaceKind> kind;  // of directories; nothing: as a server among the two says
  unsigned jobs = 4;
  bool quiet = false;  // no progress
};
struct TwoListings {
  TreeListing a;
  TreeListing b;
};
// Both, with progress on standard error.
Result<TwoListings> list_both(const TreeSource& a, const TreeSource& b, const ListingOptions& options);

}  // namespace larder::client
