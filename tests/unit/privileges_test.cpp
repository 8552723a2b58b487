#include "server/privileges.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "server/sandbox.hpp"
#include "server/sockets.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;

namespace {

// What cannot be taken back is tried in a child: the status it ends with.
template <typename Function>
int in_a_child(const Function& function) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(function());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int open_error(const std::filesystem::path& path, int flags) {
  const Descriptor file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return file ? 0 : errno;
}

Config config_on(const std::filesystem::path& data) {
  Config config;
  config.data = data;
  config.log.access = "off";
  return config;
}

HandedOver handed_over(const std::string& name) {
  auto socket = ListeningSocket::bind("127.0.0.1", 0);
  REQUIRE(socket);
  return {std::move(socket->descriptor), name};
}

}  // namespace

TEST_CASE("larderd runs as root only when that is meant", "[privileges]") {
  Config config;
  CHECK(check_user(config, 1000));
  const auto refused = check_user(config, 0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::forbidden);
  CHECK(refused.error().message().find("--allow-root") != std::string::npos);
  config.allow_root = true;
  CHECK(check_user(config, 0));
}

TEST_CASE("a command leaves nothing of root's in somebody else's data directory", "[privileges]") {
  const TemporaryDirectory directory;
  Config config = config_on(directory.path());
  CHECK(check_owner(config, 1000));
  CHECK(check_owner(config_on(directory.path() / "not-yet"), 0));
  if (::geteuid() != 0) SUCCEED("only root can give a directory away");
  if (::geteuid() != 0) return;
  CHECK(check_owner(config, 0));
  REQUIRE(::chown(directory.path().c_str(), 65534, 65534) == 0);
  CHECK_FALSE(check_owner(config, 0));
  config.allow_root = true;
  CHECK(check_owner(config, 0));
}

TEST_CASE("in its sandbox larderd reaches its own files and no others", "[privileges]") {
  const TemporaryDirectory directory;
  const auto data = directory.path() / "data";
  const auto source = directory.path() / "source";
  const auto elsewhere = directory.path() / "elsewhere";
  for (const auto& each : {data, source, elsewhere}) std::filesystem::create_directory(each);
  REQUIRE(open_error(source / "file", O_CREAT | O_WRONLY) == 0);
  REQUIRE(open_error(elsewhere / "file", O_CREAT | O_WRONLY) == 0);
  Config config = config_on(data);
  config.adopt_from = {source.string(), (directory.path() / "absent").string()};

  enum Outcome { confined, no_landlock, wrong_report, own_refused, link_refused, escaped, wrote };
  const int outcome = in_a_child([&] {
    if (!drop_privileges()) return wrong_report;
    const auto sandbox = enter_sandbox(sandbox_rules(config, {}, {}));
    if (!sandbox) return wrong_report;
    if (sandbox->abi == 0) return no_landlock;
    if (sandbox->missing.empty() || sandbox->missing.front() != directory.path() / "absent")
      return wrong_report;
    if (open_error(data / "new", O_CREAT | O_WRONLY) != 0) return own_refused;
    if (::link((source / "file").c_str(), (data / "linked").c_str()) != 0) return link_refused;
    if (::rename((data / "new").c_str(), (data / "newer").c_str()) != 0) return own_refused;
    if (open_error(elsewhere / "file", O_RDONLY) != EACCES) return escaped;
    if (open_error("/etc/larder-test", O_CREAT | O_WRONLY) != EACCES) return wrote;
    return confined;
  });
  if (outcome == no_landlock) WARN("this kernel has no Landlock");
  if (outcome != no_landlock) CHECK(outcome == confined);
}

TEST_CASE("after the start no capability is left but those for files, and for root alone", "[privileges]") {
  const int left = in_a_child([] {
    if (!drop_privileges()) return 2;
    const Descriptor raw(::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));  // CAP_NET_RAW
    return raw ? 1 : 0;
  });
  CHECK(left == 0);
}

TEST_CASE("sockets handed over take the place of the configured ones", "[privileges]") {
  Config config;
  config.http.listen = {{"127.0.0.1", 0}, {"127.0.0.1", 0}};
  config.ftp.listen = {{{"127.0.0.1", 0}, ""}};
  std::vector<HandedOver> given;
  given.push_back(handed_over("http"));

  const auto sockets = open_sockets(config, std::move(given));
  REQUIRE(sockets);
  REQUIRE(sockets->http.size() == 1);
  CHECK(sockets->http[0].address == "127.0.0.1");
  CHECK(sockets->http[0].port != 0);
  CHECK(sockets->ftp.size() == 1);
}

TEST_CASE("a socket handed over without a name serves HTTP, one with another name is refused",
          "[privileges]") {
  Config config;
  config.http.listen = {};
  config.ftp.listen = {};
  for (const char* name : {"http", "unknown", ""}) {
    std::vector<HandedOver> given;
    given.push_back(handed_over(name));
    const auto sockets = open_sockets(config, std::move(given));
    REQUIRE(sockets);
    CHECK(sockets->http.size() == 1);
  }
  std::vector<HandedOver> given;
  given.push_back(handed_over("gopher"));
  const auto refused = open_sockets(config, std::move(given));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message().find("gopher") != std::string::npos);
}

TEST_CASE("what is handed over has to be a TCP socket that listens", "[privileges]") {
  CHECK_FALSE(ListeningSocket::take_over(Descriptor(::socket(AF_INET, SOCK_DGRAM, 0))));
  CHECK_FALSE(ListeningSocket::take_over(Descriptor(::socket(AF_INET, SOCK_STREAM, 0))));
  CHECK_FALSE(ListeningSocket::take_over(Descriptor(::socket(AF_UNIX, SOCK_STREAM, 0))));
  CHECK_FALSE(ListeningSocket::take_over(Descriptor(::open("/dev/null", O_RDONLY))));
}

TEST_CASE("an address that cannot be listened on is named", "[privileges]") {
  const auto nowhere = ListeningSocket::bind("nowhere", 1);
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().message().find("nowhere") != std::string::npos);
  const auto first = ListeningSocket::bind("127.0.0.1", 0);
  REQUIRE(first);
  const auto second = ListeningSocket::bind("127.0.0.1", first->port);
  REQUIRE_FALSE(second);
  CHECK(second.error().message().find(first->name()) != std::string::npos);
}
