#include "client/tree_compare.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "common/tree_rules.hpp"

namespace larder::client {
namespace {

void sort_by_path(std::vector<ListedFile>& files) {
  std::sort(files.begin(), files.end(),
            [](const ListedFile& x, const ListedFile& y) { return x.path < y.path; });
}

// Takes what was only renamed out of the two lists.
void pair_moved(TreeComparison& result) {
  std::unordered_map<Digest, std::deque<std::size_t>> by_content;
  for (std::size_t i = 0; i < result.only_b.size(); ++i) by_content[result.only_b[i].digest].push_back(i);

  std::vector<ListedFile> left_a;
  std::vector<bool> taken(result.only_b.size(), false);
  for (ListedFile& file : result.only_a) {
    const auto found = by_content.find(file.digest);
    if (found == by_content.end() || found->second.empty()) {
      left_a.push_back(std::move(file));
      continue;
    }
    const std::size_t partner = found->second.front();
    found->second.pop_front();
    taken[partner] = true;
    result.moved.push_back(
        {std::move(file.path), std::move(result.only_b[partner].path), file.digest, file.size});
  }
  std::vector<ListedFile> left_b;
  for (std::size_t i = 0; i < result.only_b.size(); ++i) {
    if (!taken[i]) left_b.push_back(std::move(result.only_b[i]));
  }
  result.only_a = std::move(left_a);
  result.only_b = std::move(left_b);
}

template <typename File>
std::uint64_t sum_of_sizes(const std::vector<File>& files) {
  return std::accumulate(files.begin(), files.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const File& file) { return sum + file.size; });
}

}  // namespace

TreeComparison compare_trees(std::vector<ListedFile> a, std::vector<ListedFile> b) {
  sort_by_path(a);
  sort_by_path(b);
  TreeComparison result;
  auto left = a.begin();
  auto right = b.begin();
  while (left != a.end() && right != b.end()) {
    if (left->path < right->path) {
      result.only_a.push_back(std::move(*left++));
    } else if (right->path < left->path) {
      result.only_b.push_back(std::move(*right++));
    } else {
      if (left->digest == right->digest) {
        ++result.same;
        result.same_bytes += left->size;
      } else {
        result.differing.push_back(
            {std::move(left->path), left->digest, right->digest, left->size, right->size});
      }
      ++left;
      ++right;
    }
  }
  std::move(left, a.end(), std::back_inserter(result.only_a));
  std::move(right, b.end(), std::back_inserter(result.only_b));
  pair_moved(result);
  return result;
}

void add_published_names(NamespaceKind kind, std::vector<ListedFile>& directory,
                         const std::vector<ListedFile>& served) {
  std::unordered_map<std::string_view, const Digest*> there;
  for (const ListedFile& file : served) there.emplace(file.path, &file.digest);
  std::unordered_set<std::string> known;
  for (const ListedFile& file : directory) known.insert(file.path);
  std::vector<ListedFile> further;
  for (const ListedFile& file : directory) {
    for (std::string& name : published_names(kind, file.path)) {
      const auto found = there.find(name);
      if (found == there.end() || *found->second != file.digest || !known.insert(name).second) continue;
      further.push_back({std::move(name), file.digest, file.size});
    }
  }
  std::move(further.begin(), further.end(), std::back_inserter(directory));
}

std::uint64_t total_size(const std::vector<ListedFile>& files) {
  return sum_of_sizes(files);
}
std::uint64_t total_size(const std::vector<MovedFile>& files) {
  return sum_of_sizes(files);
}

}  // namespace larder::client
