// The subcommands, as functions: what each needs to know, and what the shell gets.
// Results go to standard output, everything else to standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/exit_code.hpp"
#include "client/server_connection.hpp"
#include "client/server_url.hpp"
#include "common/error.hpp"
#include "common/namespace_kind.hpp"
#include "common/prune_api.hpp"
#include "common/result.hpp"

namespace larder::client {

struct Globals {
  ServerUrl server;
  bool json = false;
  bool quiet = false;
};

struct SeedOptions {
  std::string directory;
  std::string name_space = "sstate-cache";
  std::optional<NamespaceKind> kind;  // nothing: as the server says
  unsigned jobs = 16;                 // the server syncs together what comes together
  bool dry_run = false;
  bool verbose = false;
  bool verify = true;
  bool compare = false;
  std::string build;  // an id of somebody's own; empty: none
  std::chrono::milliseconds retry_for{60000};
};
ExitCode run_seed(const Globals& globals, const SeedOptions& options);

struct AdoptOptions {
  std::string directory;
  std::string name_space;
  bool verify = true;
};
ExitCode run_adopt(const Globals& globals, const AdoptOptions& options);

struct VerifyOptions {
  bool quick = false;
  std::string sample;  // "10%"; empty: everything
  bool repair = false;
  std::string time_budget;  // as the server reads it; empty: none
  std::string rate;         // likewise
};
ExitCode run_verify(const Globals& globals, const VerifyOptions& options);

ExitCode run_stat(const Globals& globals);

struct LsOptions {
  std::string path;  // "", "NS" or "NS/PATH"
  bool details = false;
  bool recursive = false;
};
ExitCode run_ls(const Globals& globals, const LsOptions& options);

struct PruneOptions {
  api::PruneRules rules;
  std::vector<std::string> stamps;      // directories whose task hashes stay
  std::vector<std::string> keep_lists;  // files of names that stay; "-": standard input
  bool yes = false;
  bool list = false;
};
ExitCode run_prune(const Globals& globals, const PruneOptions& options);
ExitCode run_undo(const Globals& globals, std::uint64_t generation);  // 0: the newest

struct TrashOptions {
  bool empty = false;            // otherwise it is listed
  std::uint64_t generation = 0;  // 0: all
};
ExitCode run_trash(const Globals& globals, const TrashOptions& options);

struct PinOptions {
  std::vector<std::string> patterns;
  std::vector<std::string> lists;  // files
  bool unpin = false;
};
ExitCode run_pin(const Globals& globals, const PinOptions& options);  // without patterns: prints the pins

struct SnapshotOptions {
  enum class Verb { list, create, show, diff, restore, remove } verb = Verb::list;
  std::string name;
  std::vector<std::string> namespaces;
  std::string list;      // a file of names; "-": standard input
  std::string stamps;    // a directory
  bool summary = false;  // of diff: counts only
};
ExitCode run_snapshot(const Globals& globals, const SnapshotOptions& options);

struct GetOptions {
  std::string name;    // "NS/PATH"
  std::string output;  // a file, "-", or empty: the last component of the name
  std::chrono::milliseconds retry_for{60000};
};
ExitCode run_get(const Globals& globals, const GetOptions& options);

struct ConfOptions {
  std::string format = "local.conf";    // kas, buildroot
  std::vector<std::string> namespaces;  // or "@SNAPSHOT/NAMESPACE"; empty: all but lanes
};
ExitCode run_conf(const Globals& globals, const ConfOptions& options);

// Says what went wrong, as text on standard error and with --json as an object on
// standard output, too, and hands the code through.
ExitCode complain(const Globals& globals, ExitCode code, std::string_view message);
ExitCode complain(const Globals& globals, const Error& error);  // cancelled: interrupted; else server
ExitCode complain(const Globals& globals, std::string_view name, const Answer& refusal);

// What the server says about itself.
Result<api::Stat> fetch_stat(ServerConnection& connection, std::chrono::milliseconds patience,
                             std::chrono::seconds stall_timeout = Request().stall_timeout);

}  // namespace larder::client
