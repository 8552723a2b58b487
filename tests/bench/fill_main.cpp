// larder-bench-fill: a data directory with any number of names in it, through
// the store itself, in seconds instead of the hours that uploads would take. The
// names have the shape BitBake gives them; many of them share few contents, as
// far as --contents says. With --index-only most names have a row in the index and no
// file, which is enough to start with, and quick. The daemon must not be running on the directory.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "server/store/index.hpp"
#include "server/store/posix_file_system.hpp"
#include "server/store/store.hpp"
#include "tests/support/sample_names.hpp"

namespace {

using namespace larder;

struct Arguments {
  std::string data;
  std::string list;
  std::size_t names = 1000;
  std::size_t contents = 1000;
  std::size_t size = 20480;  // bytes
  std::size_t threads = 2;
  std::uint64_t seed = 1;
  bool index_only = false;
};

constexpr const char* k_namespace = "sstate-cache";

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}

void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message());
}

std::vector<std::string> make_names(const Arguments& arguments) {
  test::Dice dice(arguments.seed);
  std::vector<std::string> names;
  names.reserve(arguments.names);
  while (names.size() < arguments.names) {
    const test::NameForm form = dice.pick(test::k_name_forms);
    names.push_back(test::make_sstate_name(form, test::TaskKind::archived, dice).path());
  }
  return names;
}

// Bytes that differ between contents; what they are makes no difference to a server.
std::vector<std::byte> make_content(const Arguments& arguments, std::size_t number) {
  std::vector<std::byte> content(arguments.size, std::byte(number * 37));
  const std::string mark = std::to_string(number) + "\n";
  const std::size_t length = std::min(mark.size(), content.size());
  std::copy_n(std::as_bytes(std::span(mark)).begin(), length, content.begin());
  return content;
}

void put(Store& store, const std::string& name, std::span<const std::byte> content) {
  const ArtifactKey key = must(ArtifactKey::make(k_namespace, name));
  UploadRequest request;
  request.size = content.size();
  request.uploader = "bench";
  const UploadStart start = must(store.begin_upload(key, std::move(request)));
  if (start.settled) return;
  must(start.upload->append(content));
  must(start.upload->commit());
}

void fill(Store& store, const Arguments& arguments, const std::vector<std::string>& names) {
  std::atomic<bool> failed{false};
  const auto work = [&](std::size_t first) {
    try {
      for (std::size_t i = first; i < names.size() && !failed; i += arguments.threads)
        put(store, names[i], make_content(arguments, i % arguments.contents));
    } catch (const std::exception& error) {
      std::cerr << "larder-bench-fill: " << error.what() << "\n";
      failed = true;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < arguments.threads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  if (failed) throw std::runtime_error("the directory is not complete");
}

// Rows for the names from `first` on, which claim to hold what the first ones hold.
void add_rows(const Arguments& arguments, const std::vector<std::string>& names, std::size_t first,
              const std::vector<Entry>& entries) {
  const auto index = must(Index::open(std::filesystem::path(arguments.data) / "index", 64_MiB));
  constexpr std::size_t k_batch = 2000;  // names
  for (std::size_t begin = first; begin < names.size(); begin += k_batch) {
    const std::size_t end = std::min(names.size(), begin + k_batch);
    std::vector<ArtifactKey> keys;
    for (std::size_t i = begin; i < end; ++i) keys.push_back(must(ArtifactKey::make(k_namespace, names[i])));
    std::vector<IndexChange> changes(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Entry& entry = entries[(begin + i) % entries.size()];
      changes[i].key = &keys[i];
      changes[i].name = NameRecord{entry.digest, entry.size, entry.stored, false, "bench"};
      changes[i].ledger.key = keys[i].str();
      changes[i].ledger.digest = entry.digest;
    }
    must(index->apply(changes));
  }
  index->trust({"sstate-cache", "downloads"});
  must(index->close());
}

void write_list(const std::string& file, const std::vector<std::string>& names) {
  std::ofstream out(file, std::ios::binary);
  for (const std::string& name : names) out << name << "\n";
  if (!out.flush()) throw std::runtime_error("cannot write " + file);
}

void run(const Arguments& arguments) {
  const std::vector<std::string> names = make_names(arguments);
  std::filesystem::create_directories(arguments.data);
  const auto disk = must(PosixFileSystem::open_root(arguments.data));
  const SystemClock clock;
  StoreOptions options;
  options.durability = Durability::none;
  options.namespaces.emplace_back();
  options.namespaces.back().name = k_namespace;
  options.namespaces.back().kind = NamespaceKind::sstate;
  const auto store = must(Store::open(*disk, arguments.data, clock, std::move(options), 64_MiB));
  const std::size_t stored = arguments.index_only ? std::min(arguments.contents, names.size()) : names.size();
  fill(*store, arguments, {names.begin(), names.begin() + static_cast<std::ptrdiff_t>(stored)});
  std::vector<Entry> entries;
  for (std::size_t i = 0; arguments.index_only && i < stored; ++i)
    entries.push_back(must(store->stat(must(ArtifactKey::make(k_namespace, names[i])))));
  must(store->close());
  if (arguments.index_only) add_rows(arguments, names, stored, entries);
  if (!arguments.list.empty()) write_list(arguments.list, names);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Fills a data directory of larderd", "larder-bench-fill");
  app.add_option("data", arguments.data, "the data directory; made when it is not there")->required();
  app.add_option("--names", arguments.names, "how many")->capture_default_str();
  app.add_option("--contents", arguments.contents, "how many different contents they share")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--size", arguments.size, "of each content, in bytes")->capture_default_str();
  app.add_option("--threads", arguments.threads, "that store at a time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", arguments.seed, "the same seed makes the same names")->capture_default_str();
  app.add_option("--list", arguments.list, "write the names to this file, one a line");
  app.add_flag("--index-only", arguments.index_only, "only one name for each content gets a file");
  CLI11_PARSE(app, argc, argv);
  try {
    run(arguments);
  } catch (const std::exception& error) {
    std::cerr << "larder-bench-fill: " << error.what() << "\n";
    return 1;
  }
}
