// larder-sample-tree: sample trees from the command line, for the end-to-end
// tests, for measurements and for trying things by hand.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>

#include "common/units.hpp"
#include "tests/support/sample_tree.hpp"

namespace {

using namespace larder;
using namespace larder::test;

struct Arguments {
  std::string directory;
  std::string manifest;
  std::uint64_t seed = 1;
  std::size_t objects = 1000;
  std::string median_size = "20KiB";
  double sigma = 1.2;
  bool junk = false;
  bool buildroot = false;
};

void add_arguments(CLI::App& command, Arguments& arguments) {
  command.add_option("directory", arguments.directory, "where to write; made when it is not there")
      ->required();
  command.add_option("--seed", arguments.seed, "the same seed makes the same tree")->capture_default_str();
  command.add_option("--objects", arguments.objects, "files that a seeding client should take")
      ->capture_default_str();
  command.add_option("--median-size", arguments.median_size, "of the archives")->capture_default_str();
  command.add_option("--sigma", arguments.sigma, "how far log-normal sizes spread")->capture_default_str();
  command.add_flag("--junk", arguments.junk, "also what a seeding client must leave out");
  command.add_option(
      "--manifest", arguments.manifest,
      "write a line for each file: path, take|skip|corrupt, SHA-256, size, reason; tab-separated");
}

double median(const Arguments& arguments) {
  const auto size = parse_byte_size(arguments.median_size);
  if (!size) throw std::runtime_error(size.error().message());
  return static_cast<double>(size->bytes);
}

Manifest make_sstate(const Arguments& arguments) {
  SstateTreeOptions options;
  options.seed = arguments.seed;
  options.objects = arguments.objects;
  options.median_size = median(arguments);
  options.sigma = arguments.sigma;
  options.junk = arguments.junk ? Junk::some : Junk::none;
  return make_sstate_tree(arguments.directory, options);
}

Manifest make_downloads(const Arguments& arguments) {
  DownloadsTreeOptions options;
  options.seed = arguments.seed;
  options.objects = arguments.objects;
  options.median_size = median(arguments);
  options.sigma = arguments.sigma;
  options.junk = arguments.junk ? Junk::some : Junk::none;
  options.layout = arguments.buildroot ? DownloadsLayout::buildroot : DownloadsLayout::bitbake;
  return make_downloads_tree(arguments.directory, options);
}

int report(const Manifest& manifest, const Arguments& arguments) {
  std::size_t taken = 0;
  std::uint64_t bytes = 0;
  for (const SampleFile& file : manifest) {
    if (file.verdict != Verdict::take) continue;
    ++taken;
    bytes += file.size;
  }
  std::cout << taken << " artifacts, " << human_size(bytes) << ", and " << manifest.size() - taken
            << " other files in " << arguments.directory << "\n";
  if (arguments.manifest.empty()) return 0;
  std::ofstream out(arguments.manifest, std::ios::binary);
  out << to_tsv(manifest);
  if (out.flush()) return 0;
  std::cerr << "larder-sample-tree: cannot write " << arguments.manifest << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Makes directory trees that look like those of real builds", "larder-sample-tree");
  app.require_subcommand(1);
  CLI::App* const sstate = app.add_subcommand("sstate", "a BitBake SSTATE_DIR");
  add_arguments(*sstate, arguments);
  CLI::App* const downloads = app.add_subcommand("downloads", "a BitBake or Buildroot DL_DIR");
  add_arguments(*downloads, arguments);
  downloads->add_flag("--buildroot", arguments.buildroot, "lay it out as Buildroot does");
  CLI11_PARSE(app, argc, argv);
  try {
    return report(sstate->parsed() ? make_sstate(arguments) : make_downloads(arguments), arguments);
  } catch (const std::exception& error) {
    std::cerr << "larder-sample-tree: " << error.what() << "\n";
    return 1;
  }
}
