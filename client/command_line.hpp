// Everything the command line can say: what is filled in, and who declares it.
#pragma once

#include <string>

#include "client/access.hpp"
#include "client/checkout.hpp"
#include "client/commands.hpp"
#include "client/diff.hpp"
#include "client/log.hpp"
#include "client/verify_against.hpp"

namespace CLI {
class App;
}

namespace larder::client {

struct CommandLine {
  std::string server = std::string(k_default_server);
  Trust trust;
  std::string token_file;
  bool insecure = false;
  bool json = false;
  bool quiet = false;
  SeedOptions seed;
  std::string seed_kind;
  AdoptOptions adopt;
  bool seed_no_verify = false;
  bool adopt_no_verify = false;
  PruneOptions prune;
  std::uint64_t undo_generation = 0;
  TrashOptions trash;
  PinOptions pin;
  SnapshotOptions snapshot;
  VerifyOptions verify;
  LsOptions ls;
  GetOptions get;
  ConfOptions conf;
  LogOptions log;
  DiffOptions diff;
  std::string diff_kind;
  CheckoutOptions checkout;
  bool checkout_reflink = false;
  bool checkout_copy = false;
  VerifyAgainstOptions against;
  std::string against_kind;
  VerifyChecksumsOptions checksums;
  TokenOptions token_command;
  PromoteOptions promote;
  PurgeOptions purge;
};

// `line` has to outlive `app`.
void declare(CLI::App& app, CommandLine& line);

// Those that keep the store small and sound:
void declare_prune(CLI::App& app, CommandLine& line);  // and trash, undo, pin, unpin
void declare_snapshot(CLI::App& app, CommandLine& line);
void declare_verify(CLI::App& app, CommandLine& line);
// Those that say what happened and what differs:
void declare_log(CLI::App& app, CommandLine& line);
void declare_diff(CLI::App& app, CommandLine& line);
void declare_checkout(CLI::App& app, CommandLine& line);
// Who may do what:
void declare_credentials(CLI::App& app, CommandLine& line);
void declare_access(CLI::App& app, CommandLine& line);

}  // namespace larder::client
