#include <iostream>

#include "client/commands.hpp"
#include "client/text.hpp"
#include "common/percent.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

constexpr int k_not_found = 404;

std::string without_outer_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

// What one request brought: a listing, or the refusal.
struct Listed {
  Answer answer;
  api::Listing listing;
};

class Lister {
 public:
  Lister(const Globals& globals, const LsOptions& options)
      : globals_(globals), options_(options), connection_(globals.server) {}

  ExitCode run() {
    const std::string path = without_outer_slashes(options_.path);
    if (path.empty()) return list_namespaces();
    return list_directory(path);
  }

 private:
  ExitCode list_namespaces() {
    const auto stat = fetch_stat(connection_, std::chrono::milliseconds(0));
    if (!stat) return complain(globals_, stat.error());
    api::Listing all;
    all.path = "/";
    for (const api::NamespaceStat& each : stat->namespaces)
      all.entries.push_back({each.name, true, 0, 0, ""});
    print(all);
    return ExitCode::well;
  }

  ExitCode list_directory(const std::string& path) {
    api::Listing all;
    all.path = "/" + path + "/";
    std::vector<std::string> pending = {""};  // below `path`, each with a slash at its end
    while (!pending.empty() && std::cout) {
      const std::string below = std::move(pending.back());
      pending.pop_back();
      const auto listed = fetch("/" + path + "/" + below);
      if (!listed) return complain(globals_, listed.error());
      if (!listed->answer.ok()) {
        const bool vanished = listed->answer.status() == k_not_found && !below.empty();
        if (vanished) continue;  // removed while we walked
        return complain(globals_, path, listed->answer);
      }
      std::vector<std::string> deeper;
      for (api::ListingEntry entry : listed->listing.entries) {
        entry.name.insert(0, below);
        if (entry.directory && options_.recursive) {
          deeper.push_back(entry.name + "/");
        } else {
          all.entries.push_back(std::move(entry));
        }
      }
      pending.insert(pending.end(), deeper.rbegin(), deeper.rend());
      if (!globals_.json) {
        print(all);
        all.entries.clear();
      }
    }
    if (globals_.json) print(all);
    return ExitCode::well;
  }

  Result<Listed> fetch(const std::string& path) {
    Request request;
    request.target = percent_encode(path);
    request.headers = {"Accept: application/json"};
    LARDER_TRY_ASSIGN(Answer answer, connection_.perform(request));
    if (!answer.ok()) return Listed{std::move(answer), {}};
    auto listing = api::listing_from_json(answer.body);
    if (!listing) return Error(Errc::io, listing.error().message());
    return Listed{std::move(answer), std::move(*listing)};
  }

  void print(const api::Listing& listing) {
    if (globals_.json) {
      std::cout << api::to_json(listing) << "\n";
      return;
    }
    for (const api::ListingEntry& entry : listing.entries) print(entry);
  }

  void print(const api::ListingEntry& entry) const {
    if (options_.details) {
      constexpr std::size_t k_size_width = 10;
      constexpr std::size_t k_digest_shown = 12;
      std::cout << right(entry.directory ? "-" : human_size(entry.size), k_size_width) << "  "
                << left(local_time(entry.stored), sizeof "2024-05-31 14:05" - 1) << "  "
                << left(entry.digest.empty() ? "-" : entry.digest.substr(0, k_digest_shown), k_digest_shown)
                << "  ";
    }
    std::cout << printable(entry.name) << (entry.directory ? "/" : "") << "\n";
  }

  const Globals& globals_;
  const LsOptions& options_;
  ServerConnection connection_;
};

}  // namespace

ExitCode run_ls(const Globals& globals, const LsOptions& options) {
  return Lister(globals, options).run();
}

}  // namespace larder::client
