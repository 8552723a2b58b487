#include "client/command_line.hpp"
#include "client/credentials.hpp"

#include <CLI/CLI.hpp>

#include "common/units.hpp"

namespace larder::client {
namespace {

constexpr const char* k_token_footer =
    R"(A token is shown instead of a password: as "Authorization: Bearer", as the password of
Basic and of FTP, in ~/.netrc and in LARDER_TOKEN. It has the rights given here and those
that everybody has: read, write (new names only), replace (growing tarballs of version
control), delete (prune, undo, pins and snapshots, too) and admin (everything, tokens
included). The first one is made on the server's machine: larderd token create.

Examples:
  larder token create --name ci --can read,write --namespace sstate-cache --expires 90d
  larder token list
  larder token revoke ci)";

constexpr const char* k_promote_footer =
    R"(A lane is a namespace that overlays a trusted one: builds of pull requests read through
it and write into it. After a green build, what it stored is taken over, as hard links;
an archive goes together with its .siginfo and .sig, and is held back when one of them was
stored by another uploader or build than asked for. What the trusted namespace has with
other bytes is a conflict and stays as it is. Both make the exit code 1.

The id of a build is what the uploader says it is: --build alone keeps nobody out. Say whose
it has to be as well.

Examples:
  larder promote sstate-pr --build 4711 --uploaded-by ci-pr
  larder promote sstate-pr --build 4711 --uploaded-by ci-pr --yes
  larder promote sstate-pr --uploaded-by ci-pr --since '2 hours ago' --yes)";

constexpr const char* k_purge_footer =
    R"(A prune of all that somebody stored, leased or not. Without --yes the plan is printed;
with it, what goes lies in the trash, and 'larder undo' brings it back.

Examples:
  larder purge sstate-cache --uploaded-by ci-7 --since '2 days ago'
  larder purge sstate-cache --uploaded-by ci-7 --since 2026-11-20 --yes)";

}  // namespace

void declare_credentials(CLI::App& app, CommandLine& line) {
  app.add_option("--token-file", line.token_file, "A file that holds the token to show")->type_name("FILE");
  const auto refuse = [](const std::string&) { throw CLI::ValidationError("--token", k_no_token_argument); };
  app.add_option_function<std::string>("--token", refuse, "")->group("");
}

void declare_access(CLI::App& app, CommandLine& line) {
  using Verb = TokenOptions::Verb;
  CLI::App* token = app.add_subcommand("token", "Make, list and revoke tokens");
  token->require_subcommand(1);
  token->footer(k_token_footer);
  TokenOptions& options = line.token_command;
  const auto verb = [&](const char* name, const char* help, Verb what) {
    CLI::App* command = token->add_subcommand(name, help);
    command->callback([&options, what] { options.verb = what; });
    return command;
  };
  CLI::App* create = verb("create", "Make one and print it, once", Verb::create);
  create->add_option("--name", options.name, "Whom it is for; stands in the ledger")->required();
  create->add_option("--can", options.can, "Of read, write, replace, delete, admin; separated by commas")
      ->required();
  create->add_option("-n,--namespace", options.name_space,
                     "In these only, separated by commas; otherwise in all");
  create->add_option("--expires", options.expires, "After so long, such as 90d; otherwise never")
      ->type_name("DURATION");
  verb("list", "List them", Verb::list);
  verb("revoke", "Make one useless", Verb::revoke)
      ->add_option("TOKEN", options.name, "Its name or its id")
      ->required();

  CLI::App* promote = app.add_subcommand("promote", "Plan, and with --yes take over, what a lane holds");
  api::PromoteRules& rules = line.promote.rules;
  promote->add_option("LANE", rules.lane, "A namespace that overlays another one")->required();
  promote->add_option("--match", rules.match, "Only paths like this")->type_name("GLOB");
  promote->add_option("--build", rules.build, "Only what 'larder seed --build ID' stored")->type_name("ID");
  promote->add_option("--uploaded-by", rules.uploaders, "Only what this token, user or address stored");
  promote->add_option("--since", line.promote.since, "Only what was stored since")->type_name("TIME");
  promote->add_flag("--list", rules.list, "Every name");
  promote->add_flag("--yes", rules.apply, "Do it");
  promote->footer(k_promote_footer);

  CLI::App* purge = app.add_subcommand("purge", "Plan, and with --yes remove, what somebody stored");
  PruneOptions& prune = line.purge.prune;
  purge->add_option("NAMESPACE", prune.rules.name_space, "Where")->required();
  purge->add_option("--uploaded-by", prune.rules.uploaders, "Whose: a token, a user or an address")
      ->required();
  purge->add_option("--since", line.purge.since, "Only what was stored since")->type_name("TIME");
  purge->add_option("--match", prune.rules.match, "Only paths like this")->type_name("GLOB");
  purge->add_option("--why", prune.rules.why, "The reason, for the ledger");
  purge->add_flag("--list", prune.list, "Every name");
  purge->add_flag("--yes", prune.yes, "Do it");
  purge->footer(k_purge_footer);
}

}  // namespace larder::client
