#include "client/command_line.hpp"

#include <CLI/CLI.hpp>

#include "common/units.hpp"

namespace larder::client {
namespace {

constexpr const char* k_footer = R"(Exit codes, the same for all commands:
    0  all is well
    1  something is missing, was refused as a conflict, is damaged or failed
    2  the command line makes no sense
    3  the server cannot be reached, or it refused
  130  interrupted

Environment:
  LARDER_SERVER      the server when --server is not given
  LARDER_TOKEN       the token to show it, or
  LARDER_TOKEN_FILE  a file that holds it, when there is no --token-file
  LARDER_CACERT, LARDER_CERT, LARDER_KEY   as --cacert, --cert and --key
  ~/.netrc           user and password (or token), when there is none of these

Start with:
  larder stat
  larder seed ~/build/sstate-cache
  larder seed --namespace downloads ~/build/downloads
  larder conf >> conf/local.conf)";

constexpr const char* k_seed_footer =
    R"(What is sealed in DIR and missing on the server is uploaded; what is there already
is neither read nor sent, so a second run takes seconds and an interrupted one is
continued by running it again. Only tarballs of version control in downloads (git2_*
and others) are hashed each time, and sent when they have changed. Left out are
temporary files, locks, stamps, checkouts, symbolic links and whatever else is no
artifact (--verbose lists them).
An archive is read to its end before it is sent; a damaged one is reported, and its
.siginfo and .sig stay here, too. A running build in the same DIR does no harm.

Examples:
  larder seed ~/build/sstate-cache
  larder seed --namespace downloads ~/build/downloads
  larder seed --dry-run --verbose ~/build/sstate-cache
  larder seed --compare ~/build/sstate-cache          slow: reads everything
  larder --server http://cache:8480 --token-file ~/.larder-token seed --jobs 32 --json /srv/sstate

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
  larder --server http://cache:8480 conf --format buildroot >> .config
  larder --server http://cache:8480 conf --namespace @release-4.0/sstate-cache
  larder --server http://cache:8480 conf --namespace sstate-pr    for builds that are not trusted)";

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
  seed->add_option("--build", line.seed.build, "What this belongs to, for 'larder promote --build'")
      ->type_name("ID");
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
  conf->add_option("-n,--namespace", line.conf.namespaces,
                   "This one, or @SNAPSHOT/NAMESPACE, instead of all of its kind but lanes; may be repeated");
  conf->footer(k_conf_footer);
}

}  // namespace

void declare(CLI::App& app, CommandLine& line) {
  app.add_option("-s,--server", line.server, "http[s]://[USER:PASSWORD@]HOST:PORT")
      ->envname("LARDER_SERVER")
      ->capture_default_str();
  app.add_option("--cacert", line.trust.authorities,
                 "Believe https servers that these authorities vouch for (PEM); otherwise the system's")
      ->envname("LARDER_CACERT")
      ->type_name("FILE");
  app.add_option("--cert", line.trust.certificate, "Show this certificate to the server (PEM)")
      ->envname("LARDER_CERT")
      ->type_name("FILE");
  app.add_option("--key", line.trust.key, "Its key, when it is in another file (PEM)")
      ->envname("LARDER_KEY")
      ->type_name("FILE");
  app.add_flag("--insecure", line.insecure,
               "Believe ANY https server, also one in between that reads and changes everything");
  declare_credentials(app, line);
  app.add_flag("--json", line.json, "Results as JSON on standard output");
  app.add_flag("-q,--quiet", line.quiet, "No progress, and no summary when all is well");
  app.set_version_flag("--version", "larder " LARDER_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(k_footer);
  declare_seed(app, line);
  declare_adopt(app, line);
  declare_prune(app, line);
  declare_snapshot(app, line);
  declare_verify(app, line);
  declare_reading(app, line);
  declare_log(app, line);
  declare_diff(app, line);
  declare_checkout(app, line);
  declare_access(app, line);
}

}  // namespace larder::client
