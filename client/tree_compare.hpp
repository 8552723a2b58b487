// Two trees, name by name and content by content.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/digest_list.hpp"
#include "common/namespace_kind.hpp"

namespace larder::client {

struct DifferingFile {
  std::string path;
  Digest digest_a;
  Digest digest_b;
  std::uint64_t size_a = 0;
  std::uint64_t size_b = 0;
  bool operator==(const DifferingFile&) const = default;
};

// The same content under two names, neither of which the other tree has.
struct MovedFile {
  std::string path_a;
  std::string path_b;
  Digest digest;
  std::uint64_t size = 0;
  bool operator==(const MovedFile&) const = default;
};

// Everything sorted by path (by path_a).
struct TreeComparison {
  std::vector<ListedFile> only_a;
  std::vector<ListedFile> only_b;
  std::vector<DifferingFile> differing;
  std::vector<MovedFile> moved;
  std::uint64_t same = 0;  // names
  std::uint64_t same_bytes = 0;

  bool is_same() const { return only_a.empty() && only_b.empty() && differing.empty() && moved.empty(); }
};

// Of several names that could be one moved file, those that come first by path are paired. A name
// whose content the other tree has only under a name that both have is not moved: it is missing there.
TreeComparison compare_trees(std::vector<ListedFile> a, std::vector<ListedFile> b);

// In downloads a server may have a file of a subdirectory under its bare name, too, as seeding
// publishes it. Adds those names to what a directory holds, so that they are no difference.
void add_published_names(NamespaceKind kind, std::vector<ListedFile>& directory,
                         const std::vector<ListedFile>& served);

std::uint64_t total_size(const std::vector<ListedFile>& files);
std::uint64_t total_size(const std::vector<MovedFile>& files);

}  // namespace larder::client
