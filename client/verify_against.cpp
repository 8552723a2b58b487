#include "client/verify_against.hpp"

#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <unordered_map>

#include "client/text.hpp"
#include "client/tree_compare.hpp"
#include "client/tree_listing.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

namespace json = boost::json;

std::string count_row(std::string_view what, std::uint64_t count, std::string_view more = {}) {
  constexpr std::size_t k_what_width = 11;
  constexpr std::size_t k_count_width = 9;
  std::string text = "  " + left(what, k_what_width) + right(grouped(count), k_count_width);
  if (!more.empty()) text.append("  ").append(more);
  return text + "\n";
}

std::string problem_row(std::string_view what, std::string_view name, std::string_view more = {}) {
  constexpr std::size_t k_what_width = 11;
  std::string text = left(what, k_what_width) + printable(name);
  if (!more.empty()) text.append("  (").append(more).append(")");
  return text + "\n";
}

json::array to_array(const std::vector<std::string>& names) {
  json::array array;
  for (const std::string& name : names) array.emplace_back(name);
  return array;
}

// A is what is asked for, B the server that is verified.
json::object against_json(const TreeComparison& result, const TreeListing& asked) {
  std::vector<std::string> missing;
  std::vector<std::string> differing;
  json::array moved;
  json::array unreadable;
  for (const ListedFile& file : result.only_a) missing.push_back(file.path);
  for (const DifferingFile& file : result.differing) differing.push_back(file.path);
  for (const MovedFile& file : result.moved)
    moved.push_back(json::object{{"path", file.path_a}, {"path_on_server", file.path_b}});
  for (const Error& error : asked.unreadable) unreadable.emplace_back(error.message());
  return {{"missing", to_array(missing)},        {"missing_bytes", total_size(result.only_a)},
          {"differing", to_array(differing)},    {"moved", std::move(moved)},
          {"unreadable", std::move(unreadable)}, {"matching", result.same},
          {"matching_bytes", result.same_bytes}, {"only_on_server", result.only_b.size()}};
}

void print_against(const TreeComparison& result, const std::string& server) {
  for (const ListedFile& file : result.only_a) std::cout << problem_row("missing", file.path);
  for (const MovedFile& file : result.moved)
    std::cout << problem_row("missing", file.path_a, "its content is there as " + printable(file.path_b));
  for (const DifferingFile& file : result.differing) std::cout << problem_row("differing", file.path);
  std::cout << printable(server) << "\n"
            << count_row("matching", result.same, human_size(result.same_bytes))
            << count_row("missing", result.only_a.size() + result.moved.size(),
                         human_size(total_size(result.only_a) + total_size(result.moved)))
            << count_row("differing", result.differing.size())
            << count_row("only there", result.only_b.size(), human_size(total_size(result.only_b)));
}

Result<std::string> read_text(const std::string& file) {
  std::ifstream opened;
  if (file != "-") opened.open(file, std::ios::binary);
  std::istream& in = file == "-" ? std::cin : opened;
  if (!in) return Error(Errc::not_found, "cannot read " + file);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (in.bad()) return Error(Errc::io, "cannot read " + file);
  return text;
}

}  // namespace

ExitCode run_verify_against(const Globals& globals, const VerifyAgainstOptions& options) {
  const auto asked = find_tree_source(options.against, globals.server);
  if (!asked) return complain(globals, ExitCode::usage, asked.error().message());
  std::string name_space = options.name_space;
  if (name_space.empty()) name_space = asked->is_directory() ? "sstate-cache" : asked->name_space;
  const auto server = parse_tree_source(name_space, globals.server);
  if (!server) return complain(globals, ExitCode::usage, server.error().message());
  if (server->is_directory())
    return complain(globals, ExitCode::usage, "'" + name_space + "' is no namespace of the server");

  ListingOptions listing;
  listing.kind = options.kind;
  listing.jobs = options.jobs;
  listing.quiet = globals.quiet;
  auto both = list_both(*asked, *server, listing);
  if (!both) return complain(globals, both.error());
  for (const Error& error : both->a.unreadable) std::cerr << "larder: " << printable(error.message()) << "\n";
  const TreeComparison result = compare_trees(std::move(both->a.files), std::move(both->b.files));
  const bool well =
      result.only_a.empty() && result.differing.empty() && result.moved.empty() && both->a.unreadable.empty();
  if (globals.json) {
    std::cout << json::serialize(against_json(result, both->a)) << "\n";
  } else if (!globals.quiet || !well) {
    print_against(result, server->label);
  }
  return well ? ExitCode::well : ExitCode::incomplete;
}

ChecksumReport check_checksums(const std::vector<Checksum>& wanted, const std::vector<ListedFile>& files) {
  std::unordered_map<std::string_view, const Digest*> digests;
  for (const ListedFile& file : files) digests.emplace(file.path, &file.digest);
  ChecksumReport report;
  for (const Checksum& each : wanted) {
    const std::string_view name = each.name;
    auto found = digests.find(name);
    if (found == digests.end()) found = digests.find(name.substr(name.rfind('/') + 1));
    if (found == digests.end()) {
      report.missing.push_back(each.name);
    } else if (*found->second != each.digest) {
      report.differing.push_back(each.name);
    } else {
      ++report.matching;
    }
  }
  return report;
}

ExitCode run_verify_checksums(const Globals& globals, const VerifyChecksumsOptions& options) {
  const auto text = read_text(options.file);
  if (!text) return complain(globals, ExitCode::usage, text.error().message());
  const auto wanted = parse_checksums(*text);
  if (!wanted) return complain(globals, ExitCode::usage, options.file + ": " + wanted.error().message());
  const auto server = parse_tree_source(options.name_space, globals.server);
  if (!server) return complain(globals, ExitCode::usage, server.error().message());
  if (server->is_directory())
    return complain(globals, ExitCode::usage, "'" + options.name_space + "' is no namespace of the server");
  const auto listing = list_namespace(*server);
  if (!listing) return complain(globals, listing.error());

  const ChecksumReport report = check_checksums(*wanted, listing->files);
  if (globals.json) {
    const json::object object = {{"missing", to_array(report.missing)},
                                 {"differing", to_array(report.differing)},
                                 {"matching", report.matching}};
    std::cout << json::serialize(object) << "\n";
  } else if (!globals.quiet || !report.is_well()) {
    for (const std::string& name : report.missing) std::cout << problem_row("missing", name);
    for (const std::string& name : report.differing) std::cout << problem_row("differing", name);
    std::cout << printable(server->label) << "\n"
              << count_row("matching", report.matching) << count_row("missing", report.missing.size())
              << count_row("differing", report.differing.size());
  }
  return report.is_well() ? ExitCode::well : ExitCode::incomplete;
}

}  // namespace larder::client
