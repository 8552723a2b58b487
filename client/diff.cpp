#include "client/diff.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>

#include "client/text.hpp"
#include "client/tree_listing.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

namespace json = boost::json;

constexpr std::size_t k_size_width = 10;

std::string row(std::string_view what, std::string_view size, std::string_view name) {
  constexpr std::size_t k_what_width = 7;
  return left(what, k_what_width) + right(size, k_size_width) + "  " + std::string(name) + "\n";
}

std::string count_row(std::string_view what, std::uint64_t names, std::string_view bytes) {
  constexpr std::size_t k_what_width = 12;
  constexpr std::size_t k_count_width = 9;
  return "  " + left(what, k_what_width) + right(grouped(names), k_count_width) + "  " + std::string(bytes) +
         "\n";
}

struct Bytes {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
};
Bytes bytes_of(const std::vector<DifferingFile>& files) {
  Bytes sum;
  for (const DifferingFile& file : files) {
    sum.a += file.size_a;
    sum.b += file.size_b;
  }
  return sum;
}

json::array to_array(const std::vector<ListedFile>& files) {
  json::array array;
  for (const ListedFile& file : files)
    array.push_back(json::object{{"path", file.path}, {"sha256", file.digest.hex()}, {"size", file.size}});
  return array;
}

json::object counted(std::uint64_t names, std::uint64_t bytes) {
  return {{"names", names}, {"bytes", bytes}};
}

void add_lists(json::object& object, const TreeComparison& comparison) {
  json::array differing;
  for (const DifferingFile& file : comparison.differing)
    differing.push_back(json::object{{"path", file.path},
                                     {"sha256_a", file.digest_a.hex()},
                                     {"sha256_b", file.digest_b.hex()},
                                     {"size_a", file.size_a},
                                     {"size_b", file.size_b}});
  json::array moved;
  for (const MovedFile& file : comparison.moved)
    moved.push_back(json::object{{"path_a", file.path_a},
                                 {"path_b", file.path_b},
                                 {"sha256", file.digest.hex()},
                                 {"size", file.size}});
  object["only_a"] = to_array(comparison.only_a);
  object["only_b"] = to_array(comparison.only_b);
  object["differing"] = std::move(differing);
  object["moved"] = std::move(moved);
}

}  // namespace

std::string diff_lines(const TreeComparison& comparison) {
  std::string text;
  for (const ListedFile& file : comparison.only_a)
    text += row("only A", human_size(file.size), printable(file.path));
  for (const ListedFile& file : comparison.only_b)
    text += row("only B", human_size(file.size), printable(file.path));
  for (const DifferingFile& file : comparison.differing) {
    const bool same_size = file.size_a == file.size_b;
    text += row("differs", human_size(file.size_a),
                printable(file.path) + (same_size ? "" : "  (B: " + human_size(file.size_b) + ")"));
  }
  for (const MovedFile& file : comparison.moved)
    text += row("moved", human_size(file.size), printable(file.path_a) + " -> " + printable(file.path_b));
  return text;
}

std::string diff_summary(const TreeComparison& comparison, const std::string& a, const std::string& b) {
  const Bytes differing = bytes_of(comparison.differing);
  return "A  " + printable(a) + "\nB  " + printable(b) + "\n" +
         count_row("only in A", comparison.only_a.size(), human_size(total_size(comparison.only_a))) +
         count_row("only in B", comparison.only_b.size(), human_size(total_size(comparison.only_b))) +
         count_row("differing", comparison.differing.size(),
                   human_size(differing.a) + " in A, " + human_size(differing.b) + " in B") +
         count_row("moved", comparison.moved.size(), human_size(total_size(comparison.moved))) +
         count_row("the same", comparison.same, human_size(comparison.same_bytes));
}

std::string diff_json(const TreeComparison& comparison, const std::string& a, const std::string& b,
                      Lists lists) {
  const Bytes differing = bytes_of(comparison.differing);
  json::object object = {
      {"a", a},
      {"b", b},
      {"same", comparison.is_same()},
      {"summary",
       {{"only_a", counted(comparison.only_a.size(), total_size(comparison.only_a))},
        {"only_b", counted(comparison.only_b.size(), total_size(comparison.only_b))},
        {"differing",
         {{"names", comparison.differing.size()}, {"bytes_a", differing.a}, {"bytes_b", differing.b}}},
        {"moved", counted(comparison.moved.size(), total_size(comparison.moved))},
        {"same", counted(comparison.same, comparison.same_bytes)}}}};
  if (lists == Lists::included) add_lists(object, comparison);
  return json::serialize(object);
}

ExitCode run_diff(const Globals& globals, const DiffOptions& options) {
  const auto a = find_tree_source(options.a, globals.server);
  if (!a) return complain(globals, ExitCode::usage, a.error().message());
  const auto b = find_tree_source(options.b, globals.server);
  if (!b) return complain(globals, ExitCode::usage, b.error().message());

  ListingOptions listing;
  listing.kind = options.kind;
  listing.jobs = options.jobs;
  listing.quiet = globals.quiet;
  auto both = list_both(*a, *b, listing);
  if (!both) return complain(globals, both.error());
  bool unreadable = false;
  for (const TreeListing* each : {&both->a, &both->b}) {
    for (const Error& error : each->unreadable) std::cerr << "larder: " << printable(error.message()) << "\n";
    unreadable = unreadable || !each->unreadable.empty();
  }
  const TreeComparison comparison = compare_trees(std::move(both->a.files), std::move(both->b.files));
  if (globals.json) {
    std::cout << diff_json(comparison, a->label, b->label,
                           options.summary ? Lists::left_out : Lists::included)
              << "\n";
  } else {
    if (!options.summary) std::cout << diff_lines(comparison);
    if (!globals.quiet || options.summary) std::cout << diff_summary(comparison, a->label, b->label);
  }
  return comparison.is_same() && !unreadable ? ExitCode::well : ExitCode::incomplete;
}

}  // namespace larder::client
