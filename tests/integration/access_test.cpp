// Who may do what, on open connections of a daemon in this process.
#include <crypt.h>

#include <fstream>

#include "server/daemon.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;
using namespace std::chrono_literals;

namespace {

// A daemon that lets nobody do anything without credentials.
struct Closed {
  explicit Closed(const std::function<void(Config&)>& change = [](Config&) {}) {
    Config config;
    config.data = directory.path() / "data";
    config.http.listen = {{"127.0.0.1", 0}};
    config.ftp.listen = {};
    config.free_space_floor = ByteSize{0};
    config.free_inode_floor = 0;
    config.disk_threads = 2;
    config.loops = 1;
    config.write = WriteAccess::nobody;
    config.access.anonymous.read = {"none"};
    change(config);
    this->config = config;
    std::filesystem::create_directories(config.data);
    token = make("root", {Right::admin}).text;
    auto started = Daemon::start(config, silent_logs());
    if (!started) throw std::runtime_error(started.error().message());
    daemon = std::move(*started);
  }
  NewToken make(const char* name, std::initializer_list<Right> rights) {
    TokenRecord record;
    record.name = name;
    record.rights = rights;
    record.where = NamespaceSet::all();
    record.created_by = "test";
    auto made = add_token(TokenFile(Authorizer::tokens_file(config)), record, 1'700'000'000);
    if (!made) throw std::runtime_error(made.error().message());
    return *made;
  }
  std::uint16_t port() const { return daemon->http().port(0); }
  std::string header() const { return "Authorization: Bearer " + token + "\r\n"; }

  TemporaryDirectory directory;
  Config config;
  std::string token;
  std::unique_ptr<Daemon> daemon;
};

std::string base64(const std::string& text) {
  constexpr std::string_view k_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < text.size() ? static_cast<unsigned char>(text[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      out += i + j > text.size() ? '=' : k_letters[group >> (18 - 6 * j) & 63];
  }
  return out;
}

}  // namespace

TEST_CASE("one connection is somebody else with other credentials", "[integration][access]") {
  Closed closed;
  HttpClient client(closed.port());
  CHECK(client.request("GET", "/downloads/a").status == 401);
  CHECK(client.request("PUT", "/downloads/a", closed.header(), "content").status == 201);
  CHECK(client.request("GET", "/downloads/a", closed.header()).body == "content");
  CHECK(client.request("HEAD", "/downloads/a", closed.header()).status == 200);
  CHECK(client.request("GET", "/downloads/a").status == 401);
  CHECK(client.request("GET", "/downloads/b").status == 401);
  CHECK(client.request("GET", "/downloads/b", closed.header()).status == 404);
  CHECK(client.request("GET", "/-/health").status == 200);
}

TEST_CASE("a reload that opens reading is felt on open connections", "[integration][access]") {
  Closed closed;
  HttpClient client(closed.port());
  CHECK(client.request("HEAD", "/downloads/a").status == 401);
  closed.config.access.anonymous.read = {"all"};
  closed.daemon->reload(closed.config);
  CHECK(client.request("HEAD", "/downloads/a").status == 404);
}

TEST_CASE("pipelined requests of a stranger are refused in order", "[integration][access]") {
  Closed closed;
  HttpClient client(closed.port());
  std::string burst;
  for (int i = 0; i < 50; ++i) {
    burst += "HEAD /downloads/a HTTP/1.1\r\nHost: t\r\n\r\n";
    burst += "HEAD /downloads/a HTTP/1.1\r\nHost: t\r\n" + closed.header() + "\r\n";
  }
  client.send(burst);
  for (int i = 0; i < 50; ++i) {
    CHECK(client.receive(true).status == 401);
    CHECK(client.receive(true).status == 404);
  }
}

TEST_CASE("a client that goes away while its refusal is held back leaves nothing", "[integration][access]") {
  Closed closed;
  for (int i = 0; i < 4; ++i) {
    HttpClient client(closed.port());
    client.send("GET /downloads/a HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer wrong\r\n\r\n");
  }
  HttpClient other(closed.port());
  CHECK(other.request("GET", "/downloads/a", closed.header()).status == 404);
  CHECK(closed.daemon->stop());
}

TEST_CASE("passwords are checked without keeping others from being served", "[integration][access]") {
  Closed closed([](Config& config) {
    crypt_data work{};
    const auto file = config.data.parent_path() / "htpasswd";
    std::ofstream(file) << "anna:" << ::crypt_r("horse", "$2y$06$abcdefghijklmnopqrstuu", &work) << "\n";
    config.access.htpasswd = file;
    config.access.users = {"anna = read write"};
  });
  const std::string right = "Authorization: Basic " + base64("anna:horse") + "\r\n";
  const std::string wrong = "Authorization: Basic " + base64("anna:house") + "\r\n";
  std::vector<std::unique_ptr<HttpClient>> guessers;
  for (int i = 0; i < 8; ++i) {
    guessers.push_back(std::make_unique<HttpClient>(closed.port()));
    guessers.back()->send("GET /downloads/a HTTP/1.1\r\nHost: t\r\n" + wrong + "\r\n");
  }
  HttpClient client(closed.port());
  CHECK(client.request("PUT", "/downloads/a", right, "content").status == 201);
  CHECK(client.request("GET", "/downloads/a", right).body == "content");
  for (const auto& each : guessers) CHECK(each->receive().status == 401);
}

TEST_CASE("tokens are made and revoked over HTTP", "[integration][access]") {
  Closed closed;
  HttpClient client(closed.port());
  const std::string body = R"({"name":"ci","can":"read,write","namespaces":"downloads","expires_in":3600})";
  const HttpAnswer made = client.request("POST", "/-/v1/tokens", closed.header(), body);
  REQUIRE(made.status == 201);
  const auto at = made.body.find("larder_");
  REQUIRE(at != std::string::npos);
  const std::string mine = "Authorization: Bearer " + made.body.substr(at, 84) + "\r\n";
  CHECK(client.request("PUT", "/downloads/a", mine, "x").status == 201);
  CHECK(client.request("PUT", "/sstate-cache/a", mine, "x").status == 403);
  CHECK(client.request("POST", "/-/v1/tokens", mine, body).status == 403);
  CHECK(client.request("POST", "/-/v1/tokens", closed.header(), body).status == 409);
  CHECK(client.request("POST", "/-/v1/tokens", closed.header(), R"({"name":"x","can":"read","more":1})")
            .status == 400);
  CHECK(client.request("GET", "/-/v1/tokens", closed.header()).body.find("larder_") == std::string::npos);
  CHECK(client.request("DELETE", "/-/v1/tokens?token=ci", closed.header()).status == 200);
  CHECK(client.request("PUT", "/downloads/b", mine, "x").status == 401);
}
