// larder: fills, asks and explains a larder server.
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <string>

#include "client/command_line.hpp"
#include "client/credentials.hpp"
#include "client/interrupt.hpp"

namespace {

using namespace larder;
using namespace larder::client;

ExitCode run_verify(const Globals& globals, CommandLine& line) {
  line.against.kind = namespace_kind(line.against_kind);
  const bool compares = !line.against.against.empty() || !line.checksums.file.empty();
  if (!line.against.name_space.empty() && !compares)
    return complain(globals, ExitCode::usage,
                    "a namespace goes with --against or --checksums; what is stored is verified as a whole");
  if (!line.against.against.empty()) return run_verify_against(globals, line.against);
  if (line.checksums.file.empty()) return run_verify(globals, line.verify);
  if (!line.against.name_space.empty()) line.checksums.name_space = line.against.name_space;
  return run_verify_checksums(globals, line.checksums);
}

ExitCode run(CLI::App& app, CommandLine& line) {
  Globals globals;
  globals.json = line.json;
  globals.quiet = line.quiet;
  const auto server = parse_server_url(line.server);
  if (!server) return complain(globals, ExitCode::usage, server.error().message());
  globals.server = *server;
  globals.server.trust = line.trust;
  if (line.insecure) {
    globals.server.trust.checks = Trust::Checks::no;
    std::cerr << "larder: --insecure: NOT CHECKED who the server is\n";
  }
  TokenSources sources;
  sources.file = line.token_file;
  sources.url_has_password = server->has_credentials();
  sources.variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::optional<std::string>() : std::string(value);
  };
  const auto token = find_token(sources);
  if (!token) return complain(globals, ExitCode::usage, token.error().message());
  globals.server.token = *token;

  line.seed.kind = namespace_kind(line.seed_kind);
  line.seed.verify = !line.seed_no_verify;
  line.adopt.verify = !line.adopt_no_verify;
  if (app.got_subcommand("seed")) return run_seed(globals, line.seed);
  if (app.got_subcommand("adopt")) return run_adopt(globals, line.adopt);
  if (app.got_subcommand("snapshot")) return run_snapshot(globals, line.snapshot);
  if (app.got_subcommand("prune")) return run_prune(globals, line.prune);
  if (app.got_subcommand("undo")) return run_undo(globals, line.undo_generation);
  if (app.got_subcommand("trash")) {
    line.trash.empty = app.get_subcommand("trash")->got_subcommand("empty");
    return run_trash(globals, line.trash);
  }
  line.pin.unpin = app.got_subcommand("unpin");
  if (line.pin.unpin || app.got_subcommand("pin")) return run_pin(globals, line.pin);
  if (app.got_subcommand("token")) return run_token(globals, line.token_command);
  if (app.got_subcommand("promote")) return run_promote(globals, line.promote);
  if (app.got_subcommand("purge")) return run_purge(globals, line.purge);
  if (app.got_subcommand("verify")) return run_verify(globals, line);
  if (app.got_subcommand("stat")) return run_stat(globals);
  if (app.got_subcommand("ls")) return run_ls(globals, line.ls);
  if (app.got_subcommand("get")) return run_get(globals, line.get);
  if (app.got_subcommand("log")) return run_log(globals, line.log);
  line.diff.kind = namespace_kind(line.diff_kind);
  if (app.got_subcommand("diff")) return run_diff(globals, line.diff);
  if (line.checkout_reflink) line.checkout.mode = "reflink";
  if (line.checkout_copy) line.checkout.mode = "copy";
  if (app.got_subcommand("checkout")) return run_checkout(globals, line.checkout);
  return run_conf(globals, line.conf);
}

// Whoever read it has seen enough, `head` for one.
bool is_output_unwanted() {
  pollfd output = {STDOUT_FILENO, POLLOUT, 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  CLI::App app("Fills, asks and explains a larder server: a cache for Yocto, OpenEmbedded and Buildroot.",
               "larder");
  CommandLine line;
  declare(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool is_help = error.get_exit_code() == 0;
    app.exit(error);
    return static_cast<int>(is_help ? ExitCode::well : ExitCode::usage);
  }
  catch_interrupts();
  const ExitCode code = run(app, line);
  std::cout.flush();
  const bool written = std::cout || is_output_unwanted();
  return static_cast<int>(written ? code : ExitCode::incomplete);  // a full disk behind a pipe
}
