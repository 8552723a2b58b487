#include "client/command_line.hpp"

#include <CLI/CLI.hpp>

namespace larder::client {
namespace {

constexpr const char* k_log_footer =
    R"(The newest comes first. A GLOB is taken over the whole name, with or without its
namespace; * stands for slashes, too. Times are like '2 days ago', 14d, yesterday,
2026-11-01 or '2026-11-01 14:30'. Actions are put, replace, remove, adopt, restore
(undone), conflict (other bytes were refused), found and vanished (after a crash),
corrupt, pin, unpin, snapshot, unsnapshot, promote (from a lane), grant and revoke
(tokens), and empty (the trash).

Examples:
  larder log
  larder log --match '*linux-yocto*' --since yesterday
  larder log --action conflict --limit 0
  larder log --by ci --since 2026-11-01 --until 2026-11-08 --json)";

constexpr const char* k_diff_footer =
    R"(A and B are each a namespace of the server (sstate-cache, or @SNAPSHOT/sstate-cache), a
namespace of another one (http://host:8480/sstate-cache), or a directory, which has a
slash in it (./downloads). Directories are read as seed reads them, and hashed; a server
is only asked. Moved is what both have under names the other one lacks.
Exit code 0 when nothing differs, 1 when something does.

Examples:
  larder diff ~/build/sstate-cache sstate-cache
  larder diff --summary sstate-cache http://other:8480/sstate-cache
  larder diff --json ./downloads /srv/old/downloads)";

constexpr const char* k_checkout_footer =
    R"(The daemon fills DIR, a directory of its own machine, with every name of the namespace:
hard links to its read-only objects, so a view takes directory entries only. DIR has to be
empty or absent, below a directory of checkout_to in larderd.yaml and, for links, on the
file system of the data. The view belongs to the daemon's user; what the server removes
later stays in it. Where an object can take no further link, that file is copied.

Examples:
  larder checkout sstate-cache /srv/views/builder1
  larder checkout sstate-cache /srv/views/builder1 --update --delete
  larder checkout downloads@2026-11 /srv/views/release --copy)";

}  // namespace

void declare_log(CLI::App& app, CommandLine& line) {
  CLI::App* log = app.add_subcommand("log", "What was done to which name, by whom and why");
  log->add_option("--namespace", line.log.name_space, "Only of this one");
  log->add_option("-m,--match", line.log.match, "Only names like this")->type_name("GLOB");
  log->add_option("--by,--actor", line.log.actor, "Only what this token, user, address or program did")
      ->type_name("GLOB");
  log->add_option("--action", line.log.action, "Only this: put, remove …");
  log->add_option("--since", line.log.since, "Not before")->type_name("TIME");
  log->add_option("--until", line.log.until, "Not after")->type_name("TIME");
  log->add_option("-n,--limit", line.log.limit, "So many lines at most; 0: all")->capture_default_str();
  log->footer(k_log_footer);
}

void declare_diff(CLI::App& app, CommandLine& line) {
  CLI::App* diff = app.add_subcommand("diff", "Compare two directories, namespaces or servers by digest");
  diff->add_option("A", line.diff.a, "NAMESPACE, URL/NAMESPACE or ./DIRECTORY")->required();
  diff->add_option("B", line.diff.b, "Likewise")->required();
  diff->add_flag("--summary", line.diff.summary, "Only count and add up");
  diff->add_option("--kind", line.diff_kind, "What directories hold, when no server says it (generic)")
      ->check(CLI::IsMember({"sstate", "downloads", "generic"}));
  diff->add_option("-j,--jobs", line.diff.jobs, "Files hashed at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  diff->footer(k_diff_footer);
}

void declare_checkout(CLI::App& app, CommandLine& line) {
  CLI::App* checkout = app.add_subcommand(
      "checkout", "Let the daemon make a view of a namespace on its machine by hard links");
  checkout->add_option("NAMESPACE", line.checkout.what, "What to show; NAMESPACE@SNAPSHOT: as it was then")
      ->required();
  checkout->add_option("DIR", line.checkout.directory, "The directory, as the daemon sees it")->required();
  CLI::Option* reflink =
      checkout->add_flag("--reflink", line.checkout_reflink, "Copies that share their blocks (XFS, Btrfs)");
  checkout->add_flag("--copy", line.checkout_copy, "Copies; DIR may be on any file system")
      ->excludes(reflink);
  CLI::Option* update =
      checkout->add_flag("--update", line.checkout.update, "Add what a view made before does not have yet");
  checkout
      ->add_flag("--delete", line.checkout.remove_extra, "Remove from it what the namespace does not have")
      ->needs(update);
  checkout->footer(k_checkout_footer);
}

}  // namespace larder::client
