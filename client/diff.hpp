// `larder diff A B`: what two trees have and have not in common.
#pragma once

#include <string>

#include "client/commands.hpp"
#include "client/tree_compare.hpp"

namespace larder::client {

struct DiffOptions {
  std::string a;  // as parse_tree_source() takes them
  std::string b;
  std::optional<NamespaceKind> kind;
  unsigned jobs = 4;
  bool summary = false;
};
ExitCode run_diff(const Globals& globals, const DiffOptions& options);

// One line a difference, "only A  1.2 KiB  path"; empty when there is none.
std::string diff_lines(const TreeComparison& comparison);
// The counts, under the names of the two.
std::string diff_summary(const TreeComparison& comparison, const std::string& a, const std::string& b);
enum class Lists { left_out, included };
std::string diff_json(const TreeComparison& comparison, const std::string& a, const std::string& b,
                      Lists lists);

}  // namespace larder::client
