// What a seed has to ask and to send, as plain values: groups of files, the names
// they are published under, the questions for find-missing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/seed_scan.hpp"
#include "common/digest.hpp"
#include "common/namespace_kind.hpp"
#include "common/tree_rules.hpp"

namespace larder::client {

struct PlannedName {
  std::string name;       // below the namespace
  bool missing = false;   // the server does not have it, or has other bytes where those may be replaced
  bool replaces = false;  // the latter
};

struct PlannedFile {
  FoundFile file;
  GroupRole role = GroupRole::archive;
  std::vector<PlannedName> names;

  bool is_missing() const;  // any of its names
};

// Files that go together, the archive first.
struct PlannedGroup {
  std::vector<PlannedFile> files;

  bool is_missing() const;
  const PlannedFile* archive() const;  // null for a siginfo on its own
};

// Two files of the tree claim one bare name; the first in the order of paths, or
// the one at the top, keeps it.
struct NameClash {
  std::string name;
  std::string path;  // whose claim failed
};

struct SeedPlan {
  std::vector<PlannedGroup> groups;  // by path
  std::vector<NameClash> clashes;
};

SeedPlan plan_seed(NamespaceKind kind, std::vector<FoundFile> files);

// One question: a name of the plan.
struct NameRef {
  std::size_t group = 0;
  std::size_t file = 0;
  std::size_t name = 0;
};

// Every name of the plan, in its order.
std::vector<NameRef> all_names(const SeedPlan& plan);
PlannedName& name_at(SeedPlan& plan, const NameRef& ref);
const PlannedName& name_at(const SeedPlan& plan, const NameRef& ref);

// A line of a find-missing request: "NAME", or with bytes to compare "NAME\tHEX".
std::string question(std::string_view name);
std::string question(std::string_view name, const Digest& digest);

// The names of a find-missing answer. Lines that repeat a question's digest lose it.
std::vector<std::string> missing_names(std::string_view answer);

}  // namespace larder::client
