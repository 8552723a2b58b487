// What fault tests begin with, and what has to hold after each of them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

namespace larder::fault {

inline const std::string k_old = "sstate-cache/00/sstate:old.tar.zst";
inline const std::string k_tarball = "downloads/git2_host.repo.tar.gz";

inline std::string text_of(std::size_t size, char seed) {
  std::string text(size, seed);
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(seed + static_cast<char>(i % 23));
  return text;
}

// Whatever can be seen is whole: every name reads back with the digest it has.
inline void check_whole(StoreBench& bench) {
  for (const NamespaceConfig& each : bench.options.namespaces) {
    const auto page = bench.store->list_names(each.name, "", 1000);
    REQUIRE(page);
    for (const std::string& path : page->paths) {
      const std::string name = each.name + "/" + path;
      INFO(name);
      const auto entry = bench.store->stat(bench.key(name));
      if (!entry) {  // a row that a crash left behind is a miss, never an error
        CHECK(entry.error().code() == Errc::not_found);
        CHECK_FALSE(bench.store->reconciled());
        continue;
      }
      const auto content = bench.get(name);
      REQUIRE(content);  // what is said to be there can be read
      CHECK(Hasher::of(*content) == entry->digest);
    }
  }
}

// After a reconcile, tree and index say the same, and objects have names.
inline void check_agreement(StoreBench& bench) {
  REQUIRE(bench.store->reconcile({}));
  std::vector<std::string> in_tree;
  std::uint64_t objects = 0;
  std::uint64_t physical = 0;
  for (const std::string& file : bench.memory.files()) {
    if (file.starts_with("tree/")) in_tree.push_back(file.substr(5));
    if (!file.starts_with("objects/")) continue;
    ++objects;
    physical += bench.memory.content(file).size();
    CHECK(bench.memory.links(file) > 1);
    CHECK(Hasher::of(bench.memory.content(file)).hex() == file.substr(file.rfind('/') + 1));
  }
  std::vector<std::string> in_index;
  for (const NamespaceConfig& each : bench.options.namespaces) {
    const auto page = bench.store->list_names(each.name, "", 1000);
    REQUIRE(page);
    for (const std::string& path : page->paths) in_index.push_back(each.name + "/" + path);
  }
  std::sort(in_index.begin(), in_index.end());
  CHECK(in_index == in_tree);
  const auto stat = bench.store->totals();
  REQUIRE(stat);
  CHECK(stat->objects == objects);
  CHECK(stat->physical_bytes == physical);
}

inline void prepare(StoreBench& bench) {
  REQUIRE(bench.put(k_old, text_of(9000, 'o')));
  REQUIRE(bench.put(k_tarball, text_of(5000, 'g')));
  REQUIRE(bench.store->reconcile({}));
}

}  // namespace larder::fault
