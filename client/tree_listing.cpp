#include "client/tree_listing.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <mutex>
#include <thread>

#include "client/commands.hpp"
#include "client/interrupt.hpp"
#include "client/line_splitter.hpp"
#include "client/progress.hpp"
#include "client/seed_scan.hpp"
#include "client/steady_read.hpp"
#include "client/tree_compare.hpp"
#include "common/percent.hpp"

namespace larder::client {
namespace {

// BitBake touches what it takes from SSTATE_DIR: the times it had when the tree was walked say nothing.
Result<ListedFile> hash_file(const std::filesystem::path& root, const FoundFile& found) {
  const std::filesystem::path path = root / found.path;
  const auto read = read_steadily(path, found.path, CheckArchive::no);
  if (!read) return read.error().within("reading " + path.native());
  return ListedFile{found.path, read->content.digest, read->content.size};
}

// Hashes the files of a scan, each thread taking the next one.
class HashWork {
 public:
  HashWork(const std::filesystem::path& root, const Scan& scan, HashFigures& figures)
      : root_(root), scan_(scan), figures_(figures) {}

  void run(unsigned jobs) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < std::max(1U, jobs); ++i) threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads) thread.join();
  }

  TreeListing take() { return std::move(listing_); }

 private:
  void work() {
    while (!interrupted()) {
      const std::size_t index = next_++;
      if (index >= scan_.files.size()) return;
      auto file = hash_file(root_, scan_.files[index]);
      figures_.done += 1;
      figures_.done_bytes += scan_.files[index].state.size;
      const std::lock_guard lock(mutex_);
      if (file) {
        listing_.files.push_back(std::move(*file));
      } else if (file.error().code() != Errc::not_found) {
        listing_.unreadable.push_back(file.error());
      }
    }
  }

  const std::filesystem::path& root_;
  const Scan& scan_;
  HashFigures& figures_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  TreeListing listing_;
};

// Nothing when the server does not say.
std::optional<NamespaceKind> kind_at(const TreeSource& source) {
  if (source.is_directory()) return std::nullopt;
  ServerConnection connection(source.server);
  const auto stat = fetch_stat(connection, std::chrono::milliseconds(0));
  if (!stat) return std::nullopt;
  if (stat->reconciling)
    std::cerr << "larder: " << source.server.base
              << " is comparing its index with its tree; names may still be missing from its answers\n";
  const std::string name = source.name_space.substr(source.name_space.rfind('/') + 1);
  for (const api::NamespaceStat& each : stat->namespaces) {
    if (each.name == name) return namespace_kind(each.kind);
  }
  return std::nullopt;
}

}  // namespace

Result<TreeListing> list_directory(const std::string& directory, NamespaceKind kind, unsigned jobs,
                                   HashFigures& figures) {
  const std::filesystem::path root = directory;
  LARDER_TRY_ASSIGN(const Scan scan, scan_tree(root, kind));
  std::uint64_t bytes = 0;
  for (const FoundFile& file : scan.files) bytes += file.state.size;
  figures.total += scan.files.size();
  figures.total_bytes += bytes;
  HashWork work(root, scan, figures);
  work.run(jobs);
  if (interrupted()) return Error(Errc::cancelled, "interrupted");
  TreeListing listing = work.take();
  listing.unreadable.insert(listing.unreadable.end(), scan.unreadable.begin(), scan.unreadable.end());
  return listing;
}

Result<TreeListing> list_namespace(const TreeSource& source) {
  TreeListing listing;
  std::string odd_line;
  LineSplitter lines([&](std::string_view line) {
    auto file = parse_digest_line(line);
    if (file) {
      listing.files.push_back(std::move(*file));
    } else {
      odd_line = line;
    }
  });
  Request request;
  request.target = std::string(api::k_digests) + "?namespace=" + percent_encode(source.name_space);
  request.unpack = true;
  request.sink = [&](const AnswerHead&, std::string_view bytes) {
    lines.feed(bytes);
    return odd_line.empty();
  };
  ServerConnection connection(source.server);
  const auto answer = connection.perform(request);
  if (!odd_line.empty())
    return Error(Errc::io, source.label + ": the answer is no list of digests (is this a larder server?)");
  if (!answer) return answer.error();
  if (answer->ok()) return listing;
  std::string message = source.label + ": " + describe_refusal(*answer);
  constexpr int k_unauthorized = 401;
  if (answer->status() == k_unauthorized && source.server.token.empty())
    message += "; for another server than --server: ~/.netrc, or USER:TOKEN@ before its name";
  if (source.name_space.find('/') == std::string::npos && std::filesystem::is_directory(source.name_space))
    message += "; the directory here is written ./" + source.name_space;
  return Error(Errc::not_found, std::move(message));
}

Result<TwoListings> list_both(const TreeSource& a, const TreeSource& b, const ListingOptions& options) {
  std::optional<NamespaceKind> kind = options.kind;
  for (const TreeSource* source : {&a, &b}) {
    if (!kind) kind = kind_at(*source);
  }
  const NamespaceKind holds = kind.value_or(NamespaceKind::generic);
  HashFigures figures;
  const auto started = std::chrono::steady_clock::now();
  const bool hashes = a.is_directory() || b.is_directory();
  const Progress progress(hashes ? progress_style(options.quiet) : ProgressStyle::none, [&] {
    ProgressFigures now;
    now.doing = "hashed";
    now.done = figures.done;
    now.total = figures.total;
    now.done_bytes = figures.done_bytes;
    now.total_bytes = figures.total_bytes;
    now.elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
    return progress_line(now);
  });
  const auto list = [&](const TreeSource& source) {
    if (!source.is_directory()) return list_namespace(source);
    return list_directory(source.directory, holds, options.jobs, figures);
  };
  // A server that refuses should be heard before hours of hashing.
  const bool b_first = a.is_directory();
  auto first = list(b_first ? b : a);
  if (!first) return first.error();
  auto second = list(b_first ? a : b);
  if (!second) return second.error();
  if (b_first) std::swap(*first, *second);
  if (a.is_directory() && !b.is_directory()) add_published_names(holds, first->files, second->files);
  if (b.is_directory() && !a.is_directory()) add_published_names(holds, second->files, first->files);
  return TwoListings{std::move(*first), std::move(*second)};
}

}  // namespace larder::client
