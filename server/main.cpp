// larderd: the command line. Everything else is in Daemon.
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "server/daemon.hpp"
#include "server/fsck.hpp"
#include "server/privileges.hpp"
#include "server/sandbox.hpp"
#include "server/sockets.hpp"
#include "server/token_command.hpp"

extern char** environ;

namespace larder {
namespace {

// Stable; see larderd(8).
enum ExitCode { k_success = 0, k_failure = 1, k_usage = 2 };

struct Arguments {
  std::string config_file;
  std::string data;
  std::vector<std::string> listen_http;
  std::vector<std::string> listen_ftp;
  std::vector<std::string> listen_https;
  std::vector<std::string> listen_ftps;
  std::vector<std::string> listen_hashserv;
  std::vector<std::string> tls_certificates;
  std::string port_file;
  std::string checked_file;
  std::string adopt_namespace;
  std::string adopt_directory;
  bool no_verify = false;
  bool allow_root = false;
  std::string checked_directory;
  FsckOptions fsck;
  TokenArguments token;
};

// Where the installation put it, or else the distribution would.
std::string default_config() {
  const std::string installed = LARDER_SYSCONFDIR "/larder/larderd.yaml";
  const std::string common = "/etc/larder/larderd.yaml";
  std::error_code failure;
  const bool only_common =
      !std::filesystem::exists(installed, failure) && std::filesystem::exists(common, failure);
  return only_common ? common : installed;
}

std::vector<std::string> environment() {
  std::vector<std::string> all;
  for (char** each = environ; *each != nullptr; ++each) all.emplace_back(*each);
  return all;
}

// File, then environment, then flags; every defect of all three.
ConfigResult configure(const Arguments& arguments) {
  ConfigResult result;
  if (!arguments.config_file.empty())
    result = load_config(arguments.config_file);
  else if (std::filesystem::exists(default_config()))
    result = load_config(default_config());
  apply_environment(result, &environment);
  if (!arguments.data.empty()) result.config.data = arguments.data;
  if (!arguments.listen_http.empty())
    apply_setting(result, "http.listen", arguments.listen_http, "--listen-http");
  if (!arguments.listen_ftp.empty())
    apply_setting(result, "ftp.listen", arguments.listen_ftp, "--listen-ftp");
  if (!arguments.listen_https.empty())
    apply_setting(result, "http.listen_tls", arguments.listen_https, "--listen-https");
  if (!arguments.listen_ftps.empty())
    apply_setting(result, "ftp.listen_tls", arguments.listen_ftps, "--listen-ftps");
  if (!arguments.listen_hashserv.empty())
    apply_setting(result, "hashserv.listen", arguments.listen_hashserv, "--listen-hashserv");
  if (!arguments.tls_certificates.empty())
    apply_setting(result, "tls.certificates", arguments.tls_certificates, "--tls-certificate");
  if (arguments.allow_root) result.config.allow_root = true;
  check_config(result);
  return result;
}

// For those that serve: also what is wrong with certificates and keys.
ConfigResult configure_serving(const Arguments& arguments) {
  ConfigResult result = configure(arguments);
  check_tls_files(result, SystemClock().now());
  return result;
}

bool report_defects(const ConfigResult& result) {
  for (const ConfigDefect& defect : result.defects) std::cerr << "larderd: " << to_string(defect) << "\n";
  return !result.defects.empty();
}

int fail(const Error& error) {
  std::cerr << "larderd: " << error.message() << "\n";
  return k_failure;
}

int check_config_file(const std::string& file) {
  ConfigResult result = load_config(file);
  check_config(result);
  check_tls_files(result, SystemClock().now());
  if (report_defects(result)) return k_failure;
  std::cout << file << " is in order\n";
  return k_success;
}

// One line for each listener, "http 127.0.0.1:43121"; whole or not there.
Result<void> write_port_file(const std::string& file, const Daemon& daemon) {
  const std::string staged = file + ".new";
  std::ofstream out(staged);
  for (const std::string& each : daemon.listeners()) out << each << "\n";
  out.close();
  if (!out || std::rename(staged.c_str(), file.c_str()) != 0) return posix_error("write", file, errno);
  return {};
}

void print_adopt_event(const api::AdoptEvent& event) {
  if (!event.path.empty()) std::cout << event.outcome << " " << event.path << ": " << event.reason << "\n";
  if (event.path.empty() && !event.done)
    std::cerr << "  " << event.adopted << " adopted (" << human_size(event.bytes) << "), " << event.present
              << " there already\n";
}

int adopt(const Arguments& arguments) {
  ConfigResult configured = configure(arguments);
  if (report_defects(configured)) return k_usage;
  const auto owner = check_owner(configured.config, ::geteuid());
  if (!owner) return fail(owner.error());
  const SystemClock clock;
  auto open = open_store(configured.config, clock);
  if (!open && open.error().code() == Errc::busy) {
    std::cerr << "larderd: " << open.error().message()
              << "\nwhile the daemon runs, use: larder adopt --namespace " << arguments.adopt_namespace << " "
              << arguments.adopt_directory << "\n";
    return k_failure;
  }
  if (!open) return fail(open.error());
  const auto apart = check_apart(arguments.adopt_directory, configured.config.data);
  if (!apart) return fail(apart.error());
  const auto source = PosixFileSystem::open_root(arguments.adopt_directory);
  if (!source) return fail(source.error());

  Store::AdoptOptions options;
  options.name_space = arguments.adopt_namespace;
  options.verify = !arguments.no_verify;
  options.actor = "larderd adopt";
  const auto outcome = open->store->adopt(**source, options, &print_adopt_event, {});
  const auto closed = open->store->close();
  if (!outcome) return fail(outcome.error());
  if (!closed) return fail(closed.error());
  std::cout << outcome->adopted << " adopted (" << human_size(outcome->bytes) << "), " << outcome->present
            << " there already, " << outcome->skipped << " left out, " << outcome->failed << " failed\n";
  return outcome->failed == 0 ? k_success : k_failure;
}

int fsck(Arguments arguments) {
  arguments.data = arguments.checked_directory;
  ConfigResult configured = configure(arguments);
  if (report_defects(configured)) return k_usage;
  const auto owner = check_owner(configured.config, ::geteuid());
  if (!owner) return fail(owner.error());
  const auto sound = run_fsck(configured.config, arguments.fsck, std::cout);
  if (!sound) return fail(sound.error());
  return *sound ? k_success : k_failure;
}

int token(const Arguments& arguments) {
  ConfigResult configured = configure(arguments);
  if (report_defects(configured)) return k_usage;
  const auto done = run_token_command(configured.config, arguments.token, std::cout);
  if (!done) return fail(done.error());
  if (arguments.token.verb == TokenArguments::Verb::create)
    std::cerr << "This is the only time that it is shown. A larderd that serves "
              << configured.config.data.string() << " knows it within a second.\n";
  return k_success;
}

void declare_token(CLI::App& app, TokenArguments& arguments) {
  using Verb = TokenArguments::Verb;
  CLI::App* const token =
      app.add_subcommand("token", "Make, list and revoke tokens, with or without a running daemon");
  token->require_subcommand(1);
  token->fallthrough();
  token->footer("Exit status: 0 when it is done, 1 for a failure, 2 for a wrong command line.");
  const auto verb = [&](const char* name, const char* help, Verb what) {
    CLI::App* const command = token->add_subcommand(name, help);
    command->callback([&arguments, what] { arguments.verb = what; });
    command->fallthrough();
    return command;
  };
  CLI::App* const create = verb("create", "Make one and print it", Verb::create);
  create->add_option("--name", arguments.name, "Whom it is for; stands in the ledger")->required();
  create->add_option("--can", arguments.can, "Of read, write, replace, delete, admin; separated by commas")
      ->required();
  create->add_option("--namespace", arguments.where, "In these only, separated by commas; otherwise in all");
  create->add_option("--expires", arguments.expires, "After so long, such as 90d; otherwise never");
  verb("list", "List them", Verb::list);
  verb("revoke", "Make one useless", Verb::revoke)
      ->add_option("TOKEN", arguments.name, "Its name or its id")
      ->required();
}

std::string describe(WriteAccess write) {
  switch (write) {
    case WriteAccess::nobody: return "nobody may write without a token";
    case WriteAccess::loopback: return "without a token this machine alone may write";
    case WriteAccess::everybody: return "anybody may WRITE without a token (write: everybody)";
  }
  return {};
}

enum class Fit : std::uint8_t { as_it_was, lowered };

// HTTP needs a descriptor for a connection and one for the file it is sent, FTP up to four for
// a session: both get fewer when `limit` of them are too few.
Fit fit_to_descriptors(Config& config, rlim_t limit) {
  constexpr rlim_t k_own = 768;  // index, logs, uploads; directories that the store keeps open
  const rlim_t reserve = k_own + content_files(config, limit);
  const rlim_t affordable = limit > 2 * reserve ? limit - reserve : limit / 2;
  std::uint32_t& connections = config.http.max_connections;
  std::uint32_t& sessions = config.ftp.max_sessions;
  std::uint32_t& askers = config.hashserv.max_connections;
  const rlim_t wanted =
      rlim_t{2} * connections +
      (config.ftp.listen.empty() && config.ftp.listen_tls.empty() ? 0 : rlim_t{4} * sessions) +
      (config.hashserv.listen.empty() ? 0 : rlim_t{askers});
  if (wanted <= affordable) return Fit::as_it_was;
  const auto share = [&](std::uint32_t of) {
    return std::max(1U, static_cast<std::uint32_t>(of * affordable / wanted));
  };
  connections = share(connections);
  sessions = share(sessions);
  askers = share(askers);
  return Fit::lowered;
}

// The usual soft limit of 1024 would turn a busy hour into failed reads.
void raise_descriptor_limit(Config& config, spdlog::logger& log) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t allowed = descriptor_limit();
  if (fit_to_descriptors(config, allowed) == Fit::as_it_was) return;
  const std::string askers =
      config.hashserv.listen.empty()
          ? std::string()
          : " (and " + std::to_string(config.hashserv.max_connections) + " for hash equivalence)";
  log.warn(
      "{} open files are allowed, enough for {} connections{} and {} FTP sessions instead of the configured "
      "max_connections and max_sessions",
      allowed, config.http.max_connections, askers, config.ftp.max_sessions);
}

// SIGHUP: logs are opened anew, and the configuration is read again. A wrong one changes nothing.
void reload(Daemon& daemon, const Arguments& arguments, spdlog::logger& log) {
  daemon.reopen_logs();
  ConfigResult configured = configure_serving(arguments);
  for (const ConfigDefect& defect : configured.defects) log.error("{}", to_string(defect));
  if (!configured.defects.empty()) {
    log.error("the configuration stays as it was");
    return;
  }
  fit_to_descriptors(configured.config, descriptor_limit());
  daemon.reload(std::move(configured.config));
  log.info("logs opened anew, configuration read again");
}

// With one thread, and before anything a stranger sent is looked at: ports are taken, then rights given up.
Result<Sockets> confine(const Config& config, const Arguments& arguments, Sandbox& sandbox) {
  LARDER_TRY(check_user(config, ::geteuid()));
  LARDER_TRY_ASSIGN(Sockets sockets, open_sockets(config, handed_over_sockets()));
  LARDER_TRY(drop_privileges());
  if (!config.sandbox) return sockets;
  std::error_code failure;
  std::filesystem::create_directories(config.data, failure);  // its absence is told later
  const std::string file = arguments.config_file.empty() ? default_config() : arguments.config_file;
  LARDER_TRY_ASSIGN(sandbox, enter_sandbox(sandbox_rules(config, file, {arguments.port_file})));
  return sockets;
}

void tell_unreachable(const std::string& directory, const Sandbox& sandbox, spdlog::logger& log) {
  if (std::ranges::count(sandbox.missing, std::filesystem::path(directory)) > 0)
    log.warn("{} is not there; make it and start larderd again, for its sandbox to let it in", directory);
}

void tell_sandbox(const Config& config, const Sandbox& sandbox, spdlog::logger& log) {
  if (!config.sandbox) return log.info("no sandbox (sandbox: false)");
  if (sandbox.abi == 0) return log.info("no sandbox: this kernel has no Landlock, or one older than 5.19");
  log.info("in a sandbox: Landlock {} lets larderd reach no files but its own", sandbox.abi);
  for (const std::string& each : config.adopt_from) tell_unreachable(each, sandbox, log);
  for (const std::string& each : config.checkout_to) tell_unreachable(each, sandbox, log);
}

int serve(const Arguments& arguments) {
  ConfigResult configured = configure_serving(arguments);
  if (report_defects(configured)) return k_usage;

  // Threads inherit the mask: signals come to sigwait() below and nowhere else.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, each);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // sendfile has no MSG_NOSIGNAL

  Sandbox sandbox;
  auto sockets = confine(configured.config, arguments, sandbox);
  if (!sockets) return fail(sockets.error());
  auto logs = make_logs(configured.config.log);
  if (!logs) return fail(logs.error());
  const auto log = logs->main;
  raise_descriptor_limit(configured.config, *log);
  tell_sandbox(configured.config, sandbox, *log);
  auto daemon = Daemon::start(std::move(configured.config), std::move(*logs), std::move(*sockets));
  if (!daemon) {
    log->error("{}", daemon.error().message());
    return k_failure;
  }
  for (const std::string& each : (*daemon)->listeners()) {
    const auto space = each.find(' ');
    log->info("{} on {}", each.substr(0, space), each.substr(space + 1));
  }
  log->info("larderd {} serves {} ({}, durability {})", LARDER_VERSION, (*daemon)->config().data.string(),
            describe((*daemon)->config().write), name_of((*daemon)->config().durability));
  if (!arguments.port_file.empty()) {
    const auto written = write_port_file(arguments.port_file, **daemon);
    if (!written) return fail(written.error());
  }
  sd_notify(0, "READY=1");

  while (true) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGHUP) break;
    reload(**daemon, arguments, *log);
  }
  sd_notify(0, "STOPPING=1");
  log->info("finishing what is under way");
  const auto stopped = (*daemon)->stop();
  if (!stopped) return fail(stopped.error());
  return k_success;
}

int run(int argc, char* argv[]) {
  Arguments arguments;
  CLI::App app("larderd keeps and serves build artifacts for Yocto, OpenEmbedded and Buildroot.");
  app.set_version_flag("--version", std::string("larderd ") + LARDER_VERSION);
  app.add_option("--config", arguments.config_file, "Configuration; otherwise " + default_config());
  app.add_option("--data", arguments.data, "Data directory (overrides the configuration)");
  app.add_option("--listen-http", arguments.listen_http, "ADDRESS:PORT to serve HTTP on; may be repeated");
  app.add_option("--listen-ftp", arguments.listen_ftp, "ADDRESS:PORT to serve FTP on; may be repeated");
  app.add_option("--listen-https", arguments.listen_https, "ADDRESS:PORT to serve https on; may be repeated");
  app.add_option("--listen-ftps", arguments.listen_ftps, "ADDRESS:PORT to serve ftps on; may be repeated");
  app.add_option("--listen-hashserv", arguments.listen_hashserv,
                 "ADDRESS:PORT to serve hash equivalence on; may be repeated");
  app.add_option("--tls-certificate", arguments.tls_certificates,
                 "FILE or FILE:KEY, a certificate and its key in PEM; may be repeated");
  app.add_flag("--allow-root", arguments.allow_root, "Run as root, too; for containers and trials");
  app.add_option("--port-file", arguments.port_file, "Write the listeners' addresses here once they accept");
  app.footer(
      "Exit status: 0 after a clean stop, 1 for a failure, 2 for a wrong command line or configuration.");

  CLI::App* const check =
      app.add_subcommand("check-config", "Say everything that is wrong with a configuration");
  check->add_option("FILE", arguments.checked_file, "The file to check")->required();
  CLI::App* const adoption = app.add_subcommand(
      "adopt", "Take an existing directory of the same file system in by hard links, without copying");
  adoption->add_option("--namespace", arguments.adopt_namespace, "Where its files belong")->required();
  adoption->add_option("DIRECTORY", arguments.adopt_directory, "A sstate or downloads directory")->required();
  adoption->add_flag("--no-verify", arguments.no_verify, "Do not read archives to their end first");
  adoption->fallthrough();
  CLI::App* const check_store =
      app.add_subcommand("fsck", "Check what a data directory holds, while no daemon has it");
  check_store->add_option("DIR", arguments.checked_directory, "The data directory")->required();
  check_store->add_flag("--quick", arguments.fsck.quick, "Names, objects and index; hash nothing");
  check_store->add_flag("--repair", arguments.fsck.repair,
                        "Mend what can be mended, as 'larder verify --repair'");
  check_store->add_flag("--rebuild-index", arguments.fsck.rebuild_index,
                        "Move the index aside and make it anew from the tree alone, first");
  check_store->fallthrough();
  check_store->footer("Exit status: 0 when all is sound, 1 when something was found or failed.");
  declare_token(app, arguments.token);
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? k_success : k_usage;
  }
  ::umask(022);
  if (check->parsed()) return check_config_file(arguments.checked_file);
  if (adoption->parsed()) return adopt(arguments);
  if (arguments.token.verb != TokenArguments::Verb::none) return token(arguments);
  if (check_store->parsed()) return fsck(std::move(arguments));
  return serve(arguments);
}

}  // namespace
}  // namespace larder

int main(int argc, char* argv[]) {
  return larder::run(argc, argv);
}
