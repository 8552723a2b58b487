// For whom a simple model of a store counts each content.
#pragma once

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/eviction_checks.hpp"

namespace larder {

class ChargeModel {
 public:
  static std::string space_of(const std::string& name) { return name.substr(0, name.find('/')); }

  // By content: the namespace, or nothing for nobody.
  const std::map<std::string, std::string>& all() const { return charged_; }

  // A new name of it.
  void charge(const std::string& content, const std::string& name) {
    std::string& name_space = charged_[content];
    if (name_space.empty()) name_space = space_of(name);
  }

  void keep_only(const std::set<std::string>& contents) {
    std::erase_if(charged_, [&](const auto& each) { return !contents.contains(each.first); });
  }
  void clear() { charged_.clear(); }

  // What its namespace has no name of any more counts for one that has, in its tree, or else in its trash,
  // or else for nobody.
  void settle(const eviction::Names& live, const std::map<std::uint64_t, eviction::Names>& trash) {
    for (auto& [content, name_space] : charged_) {
      std::vector<std::string> spaces = spaces_with(content, live);
      if (name_space.empty() || has(spaces, name_space)) continue;
      if (spaces.empty()) {
        for (const auto& [generation, names] : trash)
          std::ranges::copy(spaces_with(content, names), std::back_inserter(spaces));
      }
      if (!has(spaces, name_space)) name_space = spaces.empty() ? "" : spaces.front();
    }
  }

 private:
  // In the order of the names.
  static std::vector<std::string> spaces_with(const std::string& content, const eviction::Names& names) {
    std::vector<std::string> spaces;
    for (const auto& [name, held] : names) {
      if (held.content == content) spaces.push_back(space_of(name));
    }
    return spaces;
  }
  static bool has(const std::vector<std::string>& spaces, const std::string& name_space) {
    return std::find(spaces.begin(), spaces.end(), name_space) != spaces.end();
  }

  std::map<std::string, std::string> charged_;
};

}  // namespace larder
