// larder: fills, asks and explains a larder server.
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "client/checkout.hpp"
#include "client/commands.hpp"
#include "client/diff.hpp"
#include "client/interrupt.hpp"
#include "client/log.hpp"
#include "client/verify_against.hpp"
#include "common/units.hpp"

namespace {

using namespace larder;
using namespace larder::client;

constexpr const char* k_footer = R"(Exit codes, the same for all commands:
    0  all is well
    1  something is missing, was refused as a conflict, is damaged or failed
    2  the command line makes no sense
    3  the server cannot be reached, or it refused
  130  interrupted

Environment:
  LARDER_SERVER   the server when --server is not given
  ~/.netrc        user and password, when the URL holds none

Start with:
  larder stat
  larder seed ~/build/sstate-cache
  larder seed --namespace downloads ~/build/downloads
  larder conf >> conf/local.conf)";

constexpr const char* k_seed_footer =
    R"(What is sealed in DIR and missing on the server is uploaded; what is there already
is neither read nor sent, so a second run takes seconds and an interrupted one is
continued by running it again. Left out are temporary files, locks, stamps,
checkouts, symbolic links and whatever else is no artifact (--verbose lists them).
An archive is read to its end before it is sent; a damaged one is reported, and its
.siginfo and .sig stay here, too. A running build in the same DIR does no harm.

Examples:
  larder seed ~/build/sstate-cache
  larder seed --namespace downloads ~/build/downloads
  larder seed --dry-run --verbose ~/build/sstate-cache
  larder seed --compare ~/build/sstate-cache          slow: reads everything
  larder --server http://ci:secret@cache:8480 seed --jobs 8 --json /srv/sstate

--server, --json and --quiet may stand behind the command as well (see larder --help).)";

constexpr const char* k_adopt_footer =
    R"(The daemon takes in a directory of its own machine, on its own file system, by hard
links: nothing is copied, nothing is sent. It has to be allowed to read DIR and to
adopt from there (adopt_from in larderd.yaml). The same files are left out as by seed.

Examples:
  larder adopt /srv/old-mirror/sstate-cache --namespace sstate-cache
  larder adopt /srv/downloads --namespace downloads --no-verify)";

constexpr const char* k_ls_footer = R"(Examples:
  larder ls                             the namespaces
  larder ls --long sstate-cache/ab/cd
  larder ls --recursive downloads | grep linux)";

constexpr const char* k_prune_footer =
    R"(All rules that are given have to hold for a group to go; a group is an archive with
its .siginfo and .sig. What was asked for within the server's lease, stored just now,
or pinned, stays. Without --yes nothing is removed: the plan is printed. With it, what
goes lies in the trash, and 'larder undo' brings it back, until the trash is emptied.

Examples:
  larder prune sstate-cache --unused-for 30d
  larder prune sstate-cache --unused-for 30d --yes
  larder prune sstate-cache --max-size 500GiB --yes
  larder prune sstate-cache --newest 2 --keep-stamps ~/build/tmp/stamps --list
  larder prune sstate-cache --recipe systemd --version 14 --ignore-lease --yes
  larder prune downloads --match '*.tmp' --match 'old/*'
  larder prune sstate-cache --uploaded-by 192.0.2.7 --uploaded-since 2d)";

constexpr const char* k_pin_footer =
    R"(A pin is NAMESPACE/PATH; * stands for any run of characters, slashes included, and
? for one. What a pin matches is never pruned or evicted. Without arguments the pins
are listed.

Examples:
  larder pin 'sstate-cache/universal/*' 'downloads/linux-6.6*'
  larder pin --list release-4.0.txt
  larder unpin 'downloads/linux-6.6*')";

constexpr const char* k_trash_footer = R"(Examples:
  larder trash                      what was removed, newest first
  larder undo                       brings the newest back
  larder undo 1234
  larder trash empty 1234           frees its space for good
  larder trash empty)";

constexpr const char* k_get_footer =
    R"(The object grows in a hidden file next to the output and gets its name when its
SHA-256 is the one the server states. A download that was cut continues where it
ended, when it is run again.

Examples:
  larder get downloads/zlib-1.3.1.tar.gz
  larder get downloads/zlib-1.3.1.tar.gz -o /tmp/zlib.tar.gz
  larder get downloads/zlib-1.3.1.tar.gz -o - | tar tz)";

constexpr const char* k_conf_footer = R"(Examples:
  larder --server http://cache:8480 conf >> conf/local.conf
  larder --server http://cache:8480 conf --format kas > larder.yml
  larder --server http://cache:8480 conf --format buildroot >> .config)";

constexpr const char* k_log_footer =
    R"(The newest comes first. A GLOB is taken over the whole name, with or without its
namespace; * stands for slashes, too. Times are like '2 days ago', 14d, yesterday,
2026-11-01 or '2026-11-01 14:30'. Actions are put, replace, remove, adopt, restore
(undone), conflict (other bytes were refused), found and vanished (after a crash),
corrupt, pin and unpin.

Examples:
  larder log
  larder log --match '*linux-yocto*' --since yesterday
  larder log --action conflict --limit 0
  larder log --actor 10.0.0.7 --since 2026-11-01 --until 2026-11-08 --json)";

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

constexpr const char* k_verify_footer =
    R"(Nothing is downloaded: the server says its digests, a directory is hashed here.

Examples:
  larder verify --against ~/build/sstate-cache
  larder verify --against http://other:8480/downloads downloads
  larder verify --checksums SHA256SUMS)";

// "90s", "5m": as the daemon's configuration writes them.
CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& help) {
  const auto parse = [&value](const std::string& text) {
    const auto parsed = parse_duration(text);
    if (!parsed) throw CLI::ValidationError(parsed.error().message());
    value = *parsed;
  };
  return app.add_option_function<std::string>(name, parse, help)->type_name("DURATION");
}

// Everything the command line can say, and which command it was.
struct CommandLine {
  std::string server = std::string(k_default_server);
  bool json = false;
  bool quiet = false;
  SeedOptions seed;
  std::string seed_kind;
  bool seed_no_verify = false;
  AdoptOptions adopt;
  bool adopt_no_verify = false;
  PruneOptions prune;
  std::uint64_t undo_generation = 0;
  TrashOptions trash;
  PinOptions pin;
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
};

void declare_seed(CLI::App& app, CommandLine& line) {
  CLI::App* seed = app.add_subcommand("seed", "Upload what a build directory holds and the server misses");
  seed->add_option("DIR", line.seed.directory, "SSTATE_DIR, DL_DIR or any directory")->required();
  seed->add_option("-n,--namespace", line.seed.name_space, "Where to put it")->capture_default_str();
  seed->add_option("--kind", line.seed_kind,
                   "What DIR holds, when it is not what the server says of the namespace")
      ->check(CLI::IsMember({"sstate", "downloads", "generic"}));
  seed->add_option("-j,--jobs", line.seed.jobs, "Uploads at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  seed->add_flag("--dry-run", line.seed.dry_run, "Only say what would be sent");
  seed->add_flag("-v,--verbose", line.seed.verbose, "List what was left out");
  seed->add_flag("--no-verify", line.seed_no_verify, "Send archives without reading them to their end first");
  seed->add_flag("--compare", line.seed.compare,
                 "Hash what the server has, too, and report what differs as a conflict");
  add_duration(*seed, "--retry-for", line.seed.retry_for,
               "How long to wait for a server that went away (60s)");
  seed->footer(k_seed_footer);
}

void declare_adopt(CLI::App& app, CommandLine& line) {
  CLI::App* adopt =
      app.add_subcommand("adopt", "Let the daemon take in a directory of its machine by hard links");
  adopt->add_option("DIR", line.adopt.directory, "The directory, as the daemon sees it")->required();
  adopt->add_option("-n,--namespace", line.adopt.name_space, "Where to put it")->required();
  adopt->add_flag("--no-verify", line.adopt_no_verify, "Do not read archives to their end first");
  adopt->footer(k_adopt_footer);
}

// "30d" into seconds, "500GiB" into bytes, as the daemon's configuration writes them.
void add_seconds(CLI::App& app, const std::string& name, std::optional<std::int64_t>& value,
                 const std::string& help) {
  const auto parse = [&value](const std::string& text) {
    const auto parsed = parse_duration(text);
    if (!parsed) throw CLI::ValidationError(parsed.error().message());
    value = std::chrono::duration_cast<std::chrono::seconds>(*parsed).count();
  };
  app.add_option_function<std::string>(name, parse, help)->type_name("DURATION");
}

void declare_prune(CLI::App& app, CommandLine& line) {
  CLI::App* prune = app.add_subcommand("prune", "Plan what may go, and with --yes move it to the trash");
  api::PruneRules& rules = line.prune.rules;
  prune->add_option("NAMESPACE", rules.name_space, "What to prune")->required();
  add_seconds(*prune, "--unused-for", rules.unused_for, "Not read, asked for or stored for so long");
  add_seconds(*prune, "--older-than", rules.older_than, "Stored longer ago than this");
  prune->add_option("--newest", rules.newest,
                    "Not among the N newest of its recipe, architecture, task, sstate version and host");
  const auto parse_size = [&rules](const std::string& text) {
    const auto parsed = parse_byte_size(text);
    if (!parsed) throw CLI::ValidationError(parsed.error().message());
    rules.max_size = parsed->bytes;
  };
  prune
      ->add_option_function<std::string>("--max-size", parse_size,
                                         "Oldest use first, until no more is taken on disk")
      ->type_name("SIZE");
  prune->add_option("--match", rules.match, "Only paths like this; * and ? are patterns")->type_name("GLOB");
  prune->add_option("--recipe", rules.recipes, "Only of this recipe (PN)");
  prune->add_option("--arch", rules.architectures, "Only of this package architecture");
  prune->add_option("--task", rules.tasks, "Only of this task, without do_");
  prune->add_option("--version", rules.versions, "Only of this SSTATE_VERSION");
  prune->add_option("--uploaded-by", rules.uploaders, "Only what this address or user stored");
  const auto parse_since = [&rules](const std::string& text) {
    const auto parsed = parse_duration(text);
    if (!parsed) throw CLI::ValidationError(parsed.error().message());
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    rules.uploaded_since = std::chrono::duration_cast<std::chrono::seconds>(now - *parsed).count();
  };
  prune
      ->add_option_function<std::string>("--uploaded-since", parse_since,
                                         "Only what was stored in the last DURATION")
      ->type_name("DURATION");
  prune->add_flag("--not-in-snapshot", rules.not_in_snapshot, "Only what no snapshot has");
  prune->add_option("--keep-stamps", line.prune.stamps, "Keep what a build's stamps name (tmp/stamps)")
      ->type_name("DIR");
  prune
      ->add_option("--keep-list", line.prune.keep_lists,
                   "Keep the names in FILE, one a line, below the namespace")
      ->type_name("FILE");
  prune->add_flag("--keep-siginfo", rules.keep_siginfo,
                  "Keep .siginfo files: they are small, and tell why a hash differs");
  prune->add_flag("--ignore-lease", rules.ignore_lease,
                  "Also what was asked for or stored just now: builds may fail");
  prune->add_option("--rate", rules.rate, "Names a second at most");
  prune->add_option("--why", rules.why, "The reason, for the ledger");
  prune->add_flag("--list", line.prune.list, "Every name");
  prune->add_flag("--yes", line.prune.yes, "Do it");
  prune->footer(k_prune_footer);

  CLI::App* undo = app.add_subcommand("undo", "Bring back what a prune or a removal took");
  undo->add_option("GENERATION", line.undo_generation, "As 'larder trash' shows it; otherwise the newest");
  undo->footer(k_trash_footer);

  CLI::App* trash = app.add_subcommand("trash", "List what was removed and can be brought back");
  CLI::App* empty = trash->add_subcommand("empty", "Free its space for good");
  empty->add_option("GENERATION", line.trash.generation, "Only this one");
  trash->footer(k_trash_footer);

  for (const bool unpin : {false, true}) {
    CLI::App* pin = app.add_subcommand(unpin ? "unpin" : "pin",
                                       unpin ? "Take pins away" : "Keep names whatever a prune says");
    pin->add_option("PATTERN", line.pin.patterns, "NAMESPACE/PATH, with * and ?");
    pin->add_option("--list", line.pin.lists, "A file of such, one a line; - for standard input")
        ->type_name("FILE");
    pin->footer(k_pin_footer);
  }
}

void declare_reading(CLI::App& app, CommandLine& line) {
  app.add_subcommand("stat", "How the server is doing, and what it holds");

  CLI::App* ls = app.add_subcommand("ls", "List names");
  ls->add_option("PATH", line.ls.path, "NAMESPACE or NAMESPACE/PATH; nothing: the namespaces");
  ls->add_flag("-l,--long", line.ls.details, "Sizes, times and the first digits of the SHA-256, too");
  ls->add_flag("-r,--recursive", line.ls.recursive, "All below");
  ls->footer(k_ls_footer);

  CLI::App* get = app.add_subcommand("get", "Fetch one object");
  get->add_option("NAME", line.get.name, "NAMESPACE/PATH")->required();
  get->add_option("-o,--output", line.get.output, "A file, a directory, or - for standard output");
  add_duration(*get, "--retry-for", line.get.retry_for, "How long to wait for a server that went away (60s)");
  get->footer(k_get_footer);

  CLI::App* conf = app.add_subcommand("conf", "Print the lines that point a build at this server");
  conf->add_option("-f,--format", line.conf.format, "local.conf, kas or buildroot")
      ->capture_default_str()
      ->check(CLI::IsMember({"local.conf", "kas", "buildroot"}));
  conf->footer(k_conf_footer);
}

void declare_log(CLI::App& app, CommandLine& line) {
  CLI::App* log = app.add_subcommand("log", "What was done to which name, by whom and why");
  log->add_option("--namespace", line.log.name_space, "Only of this one");
  log->add_option("-m,--match", line.log.match, "Only names like this")->type_name("GLOB");
  log->add_option("--actor", line.log.actor, "Only what this address or program did")->type_name("GLOB");
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

void declare_verify(CLI::App& app, CommandLine& line) {
  CLI::App* verify = app.add_subcommand("verify", "Check what the server holds");
  CLI::Option* against = verify->add_option(
      "--against", line.against.against, "Compare with a directory, or with URL/NAMESPACE of another server");
  CLI::Option* checksums = verify->add_option("--checksums", line.checksums.file,
                                              "Check names against the lines of sha256sum in FILE");
  against->type_name("DIR|URL");
  checksums->type_name("FILE")->excludes(against);
  verify->add_option("NAMESPACE", line.against.name_space,
                     "Of the server (sstate-cache; with --checksums downloads)");
  verify->add_option("--kind", line.against_kind, "What DIR holds, when it is not what the server says")
      ->check(CLI::IsMember({"sstate", "downloads", "generic"}));
  verify->add_option("-j,--jobs", line.against.jobs, "Files hashed at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  verify->footer(k_verify_footer);
}

void declare(CLI::App& app, CommandLine& line) {
  app.add_option("-s,--server", line.server, "http://[USER:PASSWORD@]HOST:PORT")
      ->envname("LARDER_SERVER")
      ->capture_default_str();
  app.add_flag("--json", line.json, "Results as JSON on standard output");
  app.add_flag("-q,--quiet", line.quiet, "No progress, and no summary when all is well");
  app.set_version_flag("--version", "larder " LARDER_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(k_footer);
  declare_seed(app, line);
  declare_adopt(app, line);
  declare_prune(app, line);
  declare_reading(app, line);
  declare_log(app, line);
  declare_diff(app, line);
  declare_checkout(app, line);
  declare_verify(app, line);
}

ExitCode run_verify(const Globals& globals, CommandLine& line) {
  line.against.kind = namespace_kind(line.against_kind);
  if (!line.against.against.empty()) return run_verify_against(globals, line.against);
  if (line.checksums.file.empty())
    return complain(globals, ExitCode::usage, "verify needs --against or --checksums");
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

  line.seed.kind = namespace_kind(line.seed_kind);
  line.seed.verify = !line.seed_no_verify;
  line.adopt.verify = !line.adopt_no_verify;
  if (app.got_subcommand("seed")) return run_seed(globals, line.seed);
  if (app.got_subcommand("adopt")) return run_adopt(globals, line.adopt);
  if (app.got_subcommand("prune")) return run_prune(globals, line.prune);
  if (app.got_subcommand("undo")) return run_undo(globals, line.undo_generation);
  if (app.got_subcommand("trash")) {
    line.trash.empty = app.get_subcommand("trash")->got_subcommand("empty");
    return run_trash(globals, line.trash);
  }
  line.pin.unpin = app.got_subcommand("unpin");
  if (line.pin.unpin || app.got_subcommand("pin")) return run_pin(globals, line.pin);
  if (app.got_subcommand("stat")) return run_stat(globals);
  if (app.got_subcommand("ls")) return run_ls(globals, line.ls);
  if (app.got_subcommand("get")) return run_get(globals, line.get);
  if (app.got_subcommand("log")) return run_log(globals, line.log);
  line.diff.kind = namespace_kind(line.diff_kind);
  if (app.got_subcommand("diff")) return run_diff(globals, line.diff);
  if (line.checkout_reflink) line.checkout.mode = "reflink";
  if (line.checkout_copy) line.checkout.mode = "copy";
  if (app.got_subcommand("checkout")) return run_checkout(globals, line.checkout);
  if (app.got_subcommand("verify")) return run_verify(globals, line);
  return run_conf(globals, line.conf);
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
  return static_cast<int>(std::cout ? code : ExitCode::incomplete);  // a full disk behind a pipe
}
