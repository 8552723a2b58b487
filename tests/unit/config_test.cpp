#include "server/config.hpp"

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "server/config_keys.hpp"
#include "tests/support/catch.hpp"

using namespace larder;
using namespace std::chrono_literals;

namespace {

// The configuration of the repository itself; the path comes from CMake.
constexpr const char* k_shipped = LARDER_SOURCE_DIR "/config/larderd.yaml";

std::vector<std::string> texts(const ConfigResult& result) {
  std::vector<std::string> texts;
  for (const ConfigDefect& each : result.defects) texts.push_back(to_string(each));
  return texts;
}

ConfigResult parsed_and_checked(std::string_view yaml) {
  ConfigResult result = parse_config(yaml, "f.yaml");
  check_config(result);
  return result;
}

ConfigResult with_environment(std::vector<std::string> variables) {
  ConfigResult result;
  apply_environment(result, [&] { return variables; });
  check_config(result);
  return result;
}

YAML::Node node_at(YAML::Node node, std::string_view path) {
  for (auto dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    const YAML::Node inner = node[std::string(path.substr(0, dot))];
    node.reset(inner);
    path.remove_prefix(dot + 1);
  }
  return node[std::string(path)];
}

}  // namespace

TEST_CASE("the shipped configuration is the default configuration", "[config]") {
  ConfigResult result = load_config(k_shipped);
  check_config(result);

  CHECK(texts(result) == std::vector<std::string>{});
  CHECK(result.config == Config{});
}

TEST_CASE("hash equivalence is about the first shared state that is no lane, or what is named", "[config]") {
  const auto about = [](std::string_view yaml) {
    return hashserv_namespace(parsed_and_checked(yaml).config);
  };
  CHECK(about("") == "sstate-cache");
  CHECK(about("namespaces: [{name: b, kind: sstate, overlay: a}, {name: a, kind: sstate}]\n") == "a");
  CHECK(about("namespaces: [{name: a, kind: sstate}, {name: c, kind: sstate}]\nhashserv: {namespace: c}\n") ==
        "c");
  CHECK(about("namespaces: [{name: a, kind: generic}]\n").empty());
}

TEST_CASE("the shipped configuration names every key", "[config]") {
  const YAML::Node shipped = YAML::LoadFile(k_shipped);
  for (const auto& key : config_keys()) {
    INFO(key.path);
    CHECK(node_at(shipped, key.path).IsDefined());
  }
  REQUIRE(shipped["namespaces"].IsSequence());
  for (const YAML::Node& entry : shipped["namespaces"]) {
    for (const auto& key : namespace_keys()) {
      INFO(key.path);
      CHECK(entry[std::string(key.path)].IsDefined());
    }
  }
}

TEST_CASE("each key of the configuration changes the configuration", "[config]") {
  for (const auto& key : config_keys()) {
    ConfigResult result;
    // One of these is a good value for every key, and no default.
    for (const std::string value : {"17", "17s", "json", "none", "nobody", "users", "127.0.0.1:17",
                                    "1700-1717", "1.3", "optional", "true", "false"}) {
      (void)key.set(result.config, {value});
      if (!(result.config == Config{})) break;
    }
    INFO(key.path);
    CHECK_FALSE(result.config == Config{});
  }
}

TEST_CASE("an empty configuration gives the defaults", "[config]") {
  for (const char* yaml :
       {"", "\n", "# nothing but a comment\n", "---\n", "http:\nlog:\n", "http:\n  listen:\n"}) {
    INFO(yaml);
    const ConfigResult result = parsed_and_checked(yaml);
    CHECK(result.defects.empty());
    CHECK(result.config == Config{});
  }
}

TEST_CASE("a configuration is read into its fields", "[config]") {
  const ConfigResult result = parsed_and_checked(R"(
data: /srv/cache
durability: each
write: everybody
adopt_from: [/srv/build, /srv/old]
checkout_to: [/srv/views]
shutdown_timeout: 2m
namespaces:
  - {name: products, kind: sstate, max_size: 200GiB, max_object_size: 2GiB}
http:
  listen: ["127.0.0.1:1", "[::1]:2"]
  max_object_size: 8GiB
log:
  format: json
)");

  CHECK(texts(result) == std::vector<std::string>{});
  Config expected;
  expected.data = "/srv/cache";
  expected.durability = Durability::each;
  expected.write = WriteAccess::everybody;
  expected.adopt_from = {"/srv/build", "/srv/old"};
  expected.checkout_to = {"/srv/views"};
  expected.shutdown_timeout = 2min;
  expected.namespaces = {{"products", NamespaceKind::sstate, 200_GiB, 2_GiB}};
  expected.http.listen = {{"127.0.0.1", 1}, {"::1", 2}};
  expected.http.max_object_size = 8_GiB;
  expected.log.format = LogFormat::json;
  CHECK(result.config == expected);
}

TEST_CASE("certificates are read as sections, and as texts where there is but one line", "[config][tls]") {
  const std::vector<CertificateConfig> expected = {{"/a.pem", "/a.key"}, {"/b.pem", "/b.pem"}};
  for (const char* yaml :
       {"tls:\n  certificates:\n    - {certificate: /a.pem, key: /a.key}\n    - certificate: /b.pem\n",
        "tls:\n  certificates: [/a.pem:/a.key, /b.pem]\n"}) {
    INFO(yaml);
    const ConfigResult result = parsed_and_checked(yaml);
    CHECK(texts(result) == std::vector<std::string>{});
    CHECK(result.config.tls.certificates == expected);
  }
  ConfigResult result;
  apply_environment(result,
                    [] { return std::vector<std::string>{"LARDER_TLS_CERTIFICATES=/a.pem:/a.key,/b.pem"}; });
  CHECK(result.defects.empty());
  CHECK(result.config.tls.certificates == expected);
}

TEST_CASE("what is wrong with certificates and listeners of TLS is told with its line", "[config][tls]") {
  const struct {
    const char* yaml;
    std::vector<std::string> defects;
  } cases[] = {
      {"http:\n  listen_tls: 127.0.0.1:1\n",
       {"f.yaml:2: http.listen_tls needs a certificate: see tls.certificates"}},
      {"ftp:\n  tls: required\n", {"f.yaml:2: ftp.tls needs a certificate: see tls.certificates"}},
      {"tls:\n  certificates:\n    - {key: /a.key}\n",
       {"f.yaml:3: a certificate needs its file: certificate: FILE"}},
      {"tls:\n  certificates:\n    - {certificat: /a.pem, certificate: /b.pem}\n",
       {"f.yaml:3: unknown key 'certificat' of a certificate; did you mean 'certificate'?"}},
      {"tls:\n  min_version: 1.1\n", {"f.yaml:2: tls.min_version needs one of 1.2, 1.3, not '1.1'"}},
      {"tls:\n  client_certificates: required\n",
       {"f.yaml:2: tls.client_certificates needs tls.client_ca, the file with the authorities that may "
        "vouch "
        "for clients"}},
      {"tls:\n  client_ca: /ca.pem\n",
       {"f.yaml:2: tls.client_ca is of no use while tls.client_certificates is none"}},
      {"http:\n  listen: []\n", {"f.yaml:2: http.listen needs at least one address, or http.listen_tls"}},
  };
  for (const auto& each : cases) {
    INFO(each.yaml);
    CHECK(texts(parsed_and_checked(each.yaml)) == each.defects);
  }
}

TEST_CASE("a list of one may be written without brackets", "[config]") {
  const ConfigResult result = parsed_and_checked("http:\n  listen: 127.0.0.1:80\n");
  CHECK(result.defects.empty());
  CHECK(result.config.http.listen == std::vector<Endpoint>{{"127.0.0.1", 80}});
}

TEST_CASE("every defect of a configuration is told at once, with its line", "[config]") {
  const ConfigResult result = parsed_and_checked(R"(durabilty: each
data:
  path: /x
loops: -1
http:
  idle_timeout: 12
  listen: [":80", "nowhere"]
  idle_timeout: 3s
idle_timeout: 3s
namespaces:
  - name: a
    kind: sstat
    max_sise: 1
write: [nobody, loopback]
)");

  CHECK(texts(result) ==
        std::vector<std::string>{
            "f.yaml:1: unknown key 'durabilty'; did you mean 'durability'?",
            "f.yaml:2: data takes a value, not a section",
            "f.yaml:4: loops needs a whole number from 0 to 4294967295, not '-1'",
            "f.yaml:6: http.idle_timeout needs a duration such as 500ms, 30s, 15m or 14d, not '12'",
            "f.yaml:7: http.listen needs an address and a port such as 127.0.0.1:8480, [::1]:8480 or "
            "*:8480, not 'nowhere'",
            "f.yaml:8: http.idle_timeout is given twice, first on line 6",
            "f.yaml:9: unknown key 'idle_timeout'; did you mean 'http.idle_timeout'?",
            "f.yaml:12: namespaces[0].kind needs one of sstate, downloads, generic, not 'sstat'",
            "f.yaml:13: unknown key 'max_sise' of a namespace; did you mean 'max_size'?",
            "f.yaml:14: write takes one value, not a list",
        });
}

TEST_CASE("a defect in one value leaves the other values in force", "[config]") {
  const ConfigResult result = parsed_and_checked("loops: many\ndisk_threads: 3\n");
  CHECK(result.defects.size() == 1);
  CHECK(result.config.loops == Config{}.loops);
  CHECK(result.config.disk_threads == 3);
}

TEST_CASE("what a configuration cannot be is said in one line", "[config]") {
  struct Row {
    const char* yaml;
    const char* defect;
  };
  const Row rows[] = {
      {"just text", "f.yaml:1: a configuration needs keys and values"},
      {"- a\n- b\n", "f.yaml:1: a configuration needs keys and values"},
      {"http: 8480\n", "f.yaml:1: http needs keys and values"},
      {"data:\n", "f.yaml:1: data needs a value"},
      {"data: ~\n", "f.yaml:1: data needs a value"},
      {"data: ''\n", "f.yaml:1: data needs a directory"},
      {"\ndata: [a, b]\n", "f.yaml:2: data takes one value, not a list"},
      {"adopt_from:\n  - [a]\n", "f.yaml:2: adopt_from needs a list of plain values"},
      {"allow_root: perhaps\n", "f.yaml:1: allow_root needs true or false, not 'perhaps'"},
      {"adopt_from: [relative]\n", "f.yaml:1: adopt_from needs absolute directories, not 'relative'"},
      {"checkout_to: [views]\n", "f.yaml:1: checkout_to needs absolute directories, not 'views'"},
      {"? [a]\n: b\n", "f.yaml:1: a key is a plain word"},
      {"zzzzzzzzzz: 1\n", "f.yaml:1: unknown key 'zzzzzzzzzz'"},
      {"htpp: {}\n", "f.yaml:1: unknown key 'htpp'; did you mean 'http'?"},
      {"loops: 1\n---\nloops: 2\n", "f.yaml:3: a configuration is one document; here starts a second"},
      {"loops: 4294967296\n", "f.yaml:1: loops needs a whole number from 0 to 4294967295, not '4294967296'"},
      {"loops: 1025\n", "f.yaml:1: loops can be 1024 at most"},
      {"disk_threads: 0\n", "f.yaml:1: disk_threads must be more than 0"},
      {"write: me\n", "f.yaml:1: write needs one of nobody, loopback, everybody, not 'me'"},
      {"log: {level: loud}\n",
       "f.yaml:1: log.level needs one of trace, debug, info, warning, error, not 'loud'"},
      {"log: {access: ''}\n", "f.yaml:1: log.access needs off, stderr or the name of a file"},
      {"http:\n  idle_timeout: 0\n", "f.yaml:2: http.idle_timeout must be more than 0"},
      {"http:\n  max_header_size: 1023\n", "f.yaml:2: http.max_header_size must be at least 1KiB"},
      {"http:\n  max_header_size: 65537\n", "f.yaml:2: http.max_header_size can be 64KiB at most"},
      {"http: {listen: []}\n", "f.yaml:1: http.listen needs at least one address, or http.listen_tls"},
      {"http: {listen: ['*:1', ':1']}\n", "f.yaml:1: http.listen names *:1 twice"},
      {"http:\n  max_connections: 10\n  max_connections_per_address: 11\n",
       "f.yaml:3: http.max_connections_per_address is larger than http.max_connections (10)"},
      {"ftp: {listen: ['*:1', ':1']}\n", "f.yaml:1: ftp.listen names *:1 twice"},
      {"http: {listen: ':1'}\nftp: {listen: ':1'}\n", "f.yaml:2: ftp.listen names *:1, as http.listen does"},
      {"hashserv: {listen: ':8480'}\n", "f.yaml:1: hashserv.listen names *:8480, as http.listen does"},
      {"hashserv: {listen: [':1', ':1']}\n", "f.yaml:1: hashserv.listen names *:1 twice"},
      {"hashserv: {keep: 23h}\n",
       "f.yaml:1: hashserv.keep must be 1d or more, or 0: what was asked for is noted by the day"},
      {"hashserv: {idle_timeout: 0}\n", "f.yaml:1: hashserv.idle_timeout must be more than 0"},
      {"hashserv: {max_connections: 10}\n",
       "larderd: hashserv.max_connections_per_address is larger than hashserv.max_connections (10)"},
      {"hashserv: {namespace: downloads}\n",
       "f.yaml:1: hashserv.namespace is to name a namespace of the kind sstate that is no lane, not "
       "'downloads'"},
      {"namespaces: [{name: a, kind: sstate}, {name: b, kind: sstate, overlay: a}]\nhashserv: {namespace: "
       "b}\n",
       "f.yaml:2: hashserv.namespace is to name a namespace of the kind sstate that is no lane, not 'b'"},
      {"namespaces: [{name: a, kind: generic}]\nhashserv: {listen: ':1'}\n",
       "f.yaml:2: hashserv.listen needs a namespace of the kind sstate, and there is none"},
      {"ftp: {listen: ':1 as here'}\n", "f.yaml:1: ftp.listen needs an IPv4 address behind 'as', not 'here'"},
      {"ftp: {passive_ports: 20-30}\n",
       "f.yaml:1: ftp.passive_ports must be 1024 or more: lower ports belong to the system's own services"},
      {"ftp: {passive_ports: 5000-4000}\n",
       "f.yaml:1: ftp.passive_ports needs ports such as 50000-50099, or 0 for any free one, not '5000-4000'"},
      {"ftp: {connect_timeout: 0}\n", "f.yaml:1: ftp.connect_timeout must be more than 0"},
      {"ftp:\n  max_sessions: 10\n  max_sessions_per_address: 11\n",
       "f.yaml:3: ftp.max_sessions_per_address is larger than ftp.max_sessions (10)"},
      {"namespaces: []\n", "f.yaml:1: namespaces needs at least one entry"},
      {"namespaces: {a: b}\n", "f.yaml:1: namespaces needs a list: '- name: …' for each"},
      {"namespaces:\n  - kind: sstate\n", "f.yaml:2: namespaces[0] needs a name"},
      {"namespaces:\n  - name: a\n  - name: a\n", "f.yaml:3: namespaces[1].name is 'a' a second time"},
      {"namespaces:\n  - name: '@x'\n",
       "f.yaml:2: namespaces[0].name must be lower-case letters, digits, '.', '_' and '-', at most 64 and "
       "starting with a letter or digit, not '@x'"},
      {"namespaces:\n  - {name: a, max_object_size: 65GiB}\n",
       "f.yaml:2: namespaces[0].max_object_size is larger than http.max_object_size, which holds for all"},
      {"namespaces:\n  - name: a\n    max_size: 1GiB\n    max_object_size: 2GiB\n",
       "f.yaml:4: namespaces[0].max_object_size is larger than the max_size of the same namespace"},
  };
  for (const Row& row : rows) {
    INFO(row.yaml);
    CHECK(texts(parsed_and_checked(row.yaml)) == std::vector<std::string>{row.defect});
  }
}

TEST_CASE("text that is no YAML is one defect with its line", "[config]") {
  const ConfigResult result = parse_config("loops: 1\nhttp: {listen: [\n", "f.yaml");
  REQUIRE(result.defects.size() == 1);
  CHECK(result.defects[0].line >= 2);
  CHECK(result.defects[0].message.starts_with("this is not YAML: "));
}

TEST_CASE("the largest and smallest values allowed are accepted", "[config]") {
  const char* accepted[] = {
      "http: {max_header_size: 1KiB}\n",
      "http: {max_header_size: 64KiB}\n",
      "http: {min_rate: 0}\n",
      "loops: 1024\n",
      "disk_threads: 1\n",
      "shutdown_timeout: 0\n",
      "http: {listen: [':0', ':0']}\n",
      "http: {listen: ':65535'}\n",
      "ftp: {listen: []}\n",
      "ftp: {passive_ports: 1024-65535}\n",
      "free_space_floor: 0\n",
      "free_inode_floor: 0\n",
      "http: {max_connections: 4096}\n",
      "adopt_from: []\n",
      "allow_root: true\nsandbox: false\n",
      "log: {access: 'off'}\n",
      "namespaces:\n  - {name: a, max_object_size: 64GiB}\n",
      "namespaces:\n  - {name: a, max_size: 1GiB, max_object_size: 1GiB}\n",
  };
  for (const char* yaml : accepted) {
    INFO(yaml);
    CHECK(texts(parsed_and_checked(yaml)) == std::vector<std::string>{});
  }
}

TEST_CASE("an empty file is a configuration", "[config]") {
  CHECK(load_config("/dev/null").defects.empty());
}

TEST_CASE("a configuration that cannot be read says why", "[config]") {
  const ConfigResult result = load_config("/nowhere/larderd.yaml");
  CHECK(texts(result) ==
        std::vector<std::string>{
            "/nowhere/larderd.yaml: cannot read the configuration: No such file or directory"});
  CHECK(load_config("/").defects.size() == 1);
}

TEST_CASE("the environment beats the file and flags beat the environment", "[config]") {
  ConfigResult result = parse_config("data: /file\nloops: 3\ndurability: none\n", "f.yaml");
  apply_environment(result, [] {
    return std::vector<std::string>{"LARDER_DATA=/variable", "LARDER_LOOPS=4"};
  });
  apply_setting(result, "data", {"/flag"}, "--data");

  CHECK(result.defects.empty());
  CHECK(result.config.data == "/flag");
  CHECK(result.config.loops == 4);
  CHECK(result.config.durability == Durability::none);
}

TEST_CASE("variables set what their names say", "[config]") {
  const ConfigResult result =
      with_environment({"PATH=/bin", "LARDER_SERVER=http://cache:8480", "LARDER_HTTP_IDLE_TIMEOUT=5s",
                        "LARDER_LISTEN_HTTP=127.0.0.1:1, [::1]:2", "LARDER_LOG_LEVEL=debug", "LARDER"});
  CHECK(texts(result) == std::vector<std::string>{});
  CHECK(result.config.http.idle_timeout == 5s);
  CHECK(result.config.http.listen == std::vector<Endpoint>{{"127.0.0.1", 1}, {"::1", 2}});
  CHECK(result.config.log.level == "debug");
}

TEST_CASE("every variable is named after its key", "[config]") {
  for (const auto& key : config_keys()) {
    // LARDER_LISTEN_HTTP and LARDER_LISTEN_HTTPS, like their flags.
    if (key.path.find(".listen") != std::string_view::npos) continue;
    std::string expected = "LARDER_";
    for (const char c : key.path) expected += c == '.' ? '_' : static_cast<char>(std::toupper(c));
    CHECK(key.variable == expected);
  }
}

TEST_CASE("bad variables are named, all of them", "[config]") {
  const ConfigResult result =
      with_environment({"LARDER_LOOPS=x", "LARDER_DURABILTY=each", "LARDER_DATA=", "LARDER_LISTEN_HTP=:1",
                        "LARDER_DISK_THREADS=0", "LARDER_LISTEN_HTTP="});
  CHECK(texts(result) == std::vector<std::string>{
                             "LARDER_LOOPS: needs a whole number from 0 to 4294967295, not 'x'",
                             "LARDER_DURABILTY: no such setting; did you mean 'LARDER_DURABILITY'?",
                             "LARDER_DATA: needs a directory",
                             "LARDER_LISTEN_HTP: no such setting; did you mean 'LARDER_LISTEN_HTTP'?",
                             "LARDER_DISK_THREADS: disk_threads must be more than 0",
                             "LARDER_LISTEN_HTTP: http.listen needs at least one address, or http.listen_tls",
                         });
}

TEST_CASE("variables of others with the same prefix are left alone", "[config]") {
  const ConfigResult result =
      with_environment({"LARDER_PORT=tcp://10.0.0.1:8480", "LARDER_PORT_8480_TCP_ADDR=10.0.0.1",
                        "LARDER_SERVICE_HOST=10.0.0.1", "LARDER_SERVICE_PORT=8480", "LARDER_SERVER=x",
                        "LARDER_=", "LARDER_PREFIX=/usr"});
  CHECK(texts(result) == std::vector<std::string>{});
  CHECK(result.config == Config{});
}

TEST_CASE("a flag that names no key is a defect", "[config]") {
  ConfigResult result;
  apply_setting(result, "dat", {"/x"}, "--dat");
  CHECK(texts(result) == std::vector<std::string>{"--dat: unknown key 'dat'"});
}

TEST_CASE("endpoints read and print as people write them", "[config]") {
  struct Row {
    const char* text;
    Endpoint endpoint;
    const char* printed;
  };
  const Row rows[] = {
      {"127.0.0.1:8480", {"127.0.0.1", 8480}, "127.0.0.1:8480"},
      {"0.0.0.0:1", {"0.0.0.0", 1}, "0.0.0.0:1"},
      {"[::1]:8480", {"::1", 8480}, "[::1]:8480"},
      {"[::]:0", {"::", 0}, "[::]:0"},
      {"[fe80::1%eth0]:65535", {"fe80::1%eth0", 65535}, "[fe80::1%eth0]:65535"},
      {":8480", {"", 8480}, "*:8480"},
      {"*:8480", {"", 8480}, "*:8480"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto endpoint = parse_endpoint(row.text);
    REQUIRE(endpoint.ok());
    CHECK(*endpoint == row.endpoint);
    CHECK(to_string(*endpoint) == row.printed);
    CHECK(*parse_endpoint(to_string(*endpoint)) == row.endpoint);
  }
}

TEST_CASE("what is no endpoint is refused", "[config]") {
  for (const char* text : {"", ":", "8480", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1: 80", "127.0.0.1:80x", "::1:8480", "[127.0.0.1]:1", "[]:1", "[::1]",
                           "cache.example:8480", "256.0.0.1:1", "[::1:1"}) {
    INFO(text);
    CHECK_FALSE(parse_endpoint(text).ok());
  }
}

TEST_CASE("FTP endpoints may say how clients reach them", "[config]") {
  const FtpEndpoint plain{{"", 21}, ""};
  const FtpEndpoint translated{{"192.0.2.7", 8421}, "203.0.113.9"};
  CHECK(*parse_ftp_endpoint("*:21") == plain);
  CHECK(*parse_ftp_endpoint("192.0.2.7:8421 as 203.0.113.9") == translated);
  CHECK(to_string(plain) == "*:21");
  CHECK(to_string(translated) == "192.0.2.7:8421 as 203.0.113.9");
  for (const char* text :
       {"", "21", "*:21 as", "*:21 as ", "*:21 as ::1", "*:21 as host.example", "*:21 as 1.2.3"}) {
    INFO(text);
    CHECK_FALSE(parse_ftp_endpoint(text).ok());
  }
}

TEST_CASE("port ranges are read whole or refused", "[config]") {
  CHECK(*parse_port_range("0") == PortRange{0, 0});
  CHECK(*parse_port_range("50000") == PortRange{50000, 50000});
  CHECK(*parse_port_range("50000-50099") == PortRange{50000, 50099});
  CHECK(parse_port_range("0")->any());
  CHECK_FALSE(parse_port_range("1-2")->any());
  for (const char* text : {"", "-", "1-", "-1", "0-10", "10-9", "1-65536", "1-2-3", "x", "1 - 2"}) {
    INFO(text);
    CHECK_FALSE(parse_port_range(text).ok());
  }
}

TEST_CASE("the nearest key is a near one or none", "[config]") {
  const std::vector<std::string_view> known = {"data", "http.listen", "http.idle_timeout", "log.level"};
  CHECK(nearest("dta", known) == "data");
  CHECK(nearest("http.lisen", known) == "http.listen");
  CHECK(nearest("level", known) == "log.level");
  CHECK(nearest("htpp.idle_timeout", known) == "http.idle_timeout");
  CHECK(nearest("telemetry", known).empty());
  CHECK(nearest("", known).empty());
}
