#include "client/command_line.hpp"
#include "client/moment.hpp"

#include <CLI/CLI.hpp>
#include <ctime>

#include "common/units.hpp"

namespace larder::client {
namespace {

constexpr const char* k_prune_footer =
    R"(All rules that are given have to hold for a group to go; a group is an archive with
its .siginfo and .sig, and goes as a whole: --match '*.siginfo' takes the archives along,
--keep-siginfo leaves the .siginfo files there. What was asked for within the server's lease, stored just now,
or pinned, stays. Without --yes nothing is removed: the plan is printed. With it, what
goes lies in the trash, and 'larder undo' brings it back, until the trash is emptied.
A list of what to keep that names nothing, or nothing that is there, is an error.

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

constexpr const char* k_snapshot_footer =
    R"(A snapshot holds what a namespace has now, for good, and costs directory entries only.
It is read like a namespace, as /@NAME/sstate-cache/…, over HTTP and FTP: a release branch
can point its SSTATE_MIRRORS at it. 'larder ls @NAME/sstate-cache' lists it, 'larder
diff @A/sstate-cache @B/sstate-cache' compares two. No prune takes what it holds.
'diff' compares what it holds (A) with what its namespaces are now (B), one after the
other, as 'larder diff' does: exit code 0 when nothing differs, 1 when something does.

Examples:
  larder snapshot create release-4.0
  larder snapshot create release-4.0 --namespace sstate-cache --from-stamps ~/build/tmp/stamps
  larder snapshot create release-4.0 --from-list names.txt
  larder snapshot list
  larder snapshot diff release-4.0 --summary
  larder snapshot restore release-4.0
  larder snapshot remove release-4.0)";

constexpr const char* k_verify_footer =
    R"(The daemon reads what it keeps again: every object against the SHA-256 it was stored
under, archives to their end, and the names, the objects and the index against one
another. What is corrupt is served no more the moment it is found, with or without
--repair; it lies in quarantine/ below the data directory, and the ledger tells of it.
With --time-budget the run ends in time, and the next one goes on where it ended; but for
its last step, which sees for which namespace each content is counted, and is short.

--repair mends what need not be taken away: rows without a file are dropped, files
without a row entered, modes and lost objects set right; archives that cannot be read
to their end go into quarantine/, too. Unused objects are removed without it.

It needs the right admin, which without a token is the daemon's own machine's. Exit
code 1 says that something was found.

Examples:
  larder verify --quick
  larder verify --sample 10%
  larder verify --time-budget 30m --rate 50MiB --quiet     nightly, from cron
  larder verify --repair
  larder verify --against ~/build/sstate-cache                 has the server all of it?
  larder verify --against http://other:8480/downloads downloads
  larder verify --checksums SHA256SUMS                          downloads against sha256sum's lines)";

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

// Checked here, passed on as it is written.
CLI::Option* add_checked(CLI::App& app, const std::string& name, std::string& value, const std::string& type,
                         const std::string& help,
                         const std::function<std::string(const std::string&)>& defect) {
  return app.add_option(name, value, help)->type_name(type)->check(CLI::Validator(defect, ""));
}

template <typename T>
std::string defect_of(const Result<T>& parsed) {
  return parsed ? std::string() : parsed.error().message();
}

}  // namespace

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
  prune
      ->add_option("--match", rules.match,
                   "Only groups with a path like this, each as a whole; * and ? are patterns")
      ->type_name("GLOB");
  prune->add_option("--recipe", rules.recipes, "Only of this recipe (PN)");
  prune->add_option("--arch", rules.architectures, "Only of this package architecture");
  prune->add_option("--task", rules.tasks, "Only of this task, without do_");
  prune->add_option("--version", rules.versions, "Only of this SSTATE_VERSION");
  prune->add_option("--uploaded-by", rules.uploaders, "Only what this token, user or address stored");
  const auto parse_since = [&rules](const std::string& text) {
    const auto parsed = parse_moment(text, std::time(nullptr));
    if (!parsed) throw CLI::ValidationError(parsed.error().message());
    rules.uploaded_since = *parsed;
  };
  prune
      ->add_option_function<std::string>("--uploaded-since", parse_since,
                                         "Only what was stored since: 2d, '2 days ago', 2026-11-20")
      ->type_name("TIME");
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
  prune->add_flag("--no-trash", rules.no_trash, "For good: works on a full disk, and cannot be undone");
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

void declare_snapshot(CLI::App& app, CommandLine& line) {
  CLI::App* snapshot = app.add_subcommand("snapshot", "Keep a release as it is, by name");
  snapshot->require_subcommand(1);
  snapshot->footer(k_snapshot_footer);
  SnapshotOptions& options = line.snapshot;
  const auto verb = [&](const char* name, const char* help, SnapshotOptions::Verb what) {
    CLI::App* command = snapshot->add_subcommand(name, help);
    if (what != SnapshotOptions::Verb::list)
      command->add_option("NAME", options.name, "The snapshot")->required();
    command->callback([&options, what] { options.verb = what; });
    return command;
  };
  CLI::App* create =
      verb("create", "Make one of everything there is, or of a list", SnapshotOptions::Verb::create);
  create->add_option("-n,--namespace", options.namespaces, "Only of this one; may be repeated");
  create
      ->add_option("--from-list", options.list,
                   "Only the names in FILE, NAMESPACE/PATH, one a line; - for standard input")
      ->type_name("FILE");
  create->add_option("--from-stamps", options.stamps, "Only what a build's stamps name (tmp/stamps)")
      ->type_name("DIR");
  verb("list", "List them", SnapshotOptions::Verb::list);
  verb("show", "What one holds", SnapshotOptions::Verb::show);
  CLI::App* diff = verb("diff", "Compare it with what its namespaces are now", SnapshotOptions::Verb::diff);
  diff->add_flag("--summary", options.summary, "Only count and add up");
  verb("restore", "Put back what the namespaces have lost of it", SnapshotOptions::Verb::restore);
  verb("remove", "Give it up; frees what only it held", SnapshotOptions::Verb::remove);
}

void declare_verify(CLI::App& app, CommandLine& line) {
  CLI::App* verify = app.add_subcommand("verify", "Have the server check all that it stores");
  CLI::Option* quick =
      verify->add_flag("--quick", line.verify.quick, "Names, objects and index; hash nothing");
  CLI::Option* sample =
      verify->add_option("--sample", line.verify.sample, "Read such a share of the objects");
  sample->type_name("PERCENT")->excludes(quick);
  CLI::Option* repair = verify->add_flag("--repair", line.verify.repair, "Mend what can be mended");
  CLI::Option* budget = add_checked(*verify, "--time-budget", line.verify.time_budget, "DURATION",
                                    "End in time; the next run goes on",
                                    [](const std::string& text) { return defect_of(parse_duration(text)); });
  CLI::Option* rate =
      add_checked(*verify, "--rate", line.verify.rate, "SIZE", "Read so much a second at most",
                  [](const std::string& text) { return defect_of(parse_byte_size(text)); });
  CLI::Option* against = verify->add_option(
      "--against", line.against.against, "Compare with a directory, or with URL/NAMESPACE of another server");
  CLI::Option* checksums = verify->add_option("--checksums", line.checksums.file,
                                              "Check names against the lines of sha256sum in FILE");
  against->type_name("DIR|URL");
  checksums->type_name("FILE")->excludes(against);
  for (CLI::Option* of_the_daemon : {quick, sample, repair, budget, rate}) {
    against->excludes(of_the_daemon);
    checksums->excludes(of_the_daemon);
  }
  verify->add_option("NAMESPACE", line.against.name_space,
                     "With --against (sstate-cache) or --checksums (downloads): of the server");
  verify->add_option("--kind", line.against_kind, "What DIR holds, when it is not what the server says")
      ->check(CLI::IsMember({"sstate", "downloads", "generic"}));
  verify->add_option("-j,--jobs", line.against.jobs, "Files hashed at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  verify->footer(k_verify_footer);
}

}  // namespace larder::client
