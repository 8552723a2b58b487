// TLS on the wire, in this process: what depends on handshakes, records and ends of
// connections. What real clients see is in tests/e2e/test_tls.py.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>

#include "tests/integration/running_daemon.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/https_client.hpp"

using namespace larder;
using namespace std::chrono_literals;

namespace {

// https on the only port of HTTP, FTP with AUTH TLS.
struct Secure {
  explicit Secure(const std::function<void(Config&)>& change = [](Config&) {})
      : running([this, &change](Config& config) {
          config.http.listen.clear();
          config.http.listen_tls = {{"127.0.0.1", 0}};
          config.ftp.tls = FtpTls::optional;
          config.tls.certificates = {{files.certificate, files.key}};
          change(config);
        }) {}

  std::uint16_t port() const { return running.port(); }
  Store& store() { return running.daemon->store(); }
  std::filesystem::path staging() const { return running.directory.path() / "data" / "tmp"; }

  TemporaryDirectory directory;
  TestAuthority authority{directory.path()};
  TestAuthority::Files files = authority.issue("server");
  Running running;
};

// Plain FTP, for what leads to TLS; then the same with it.
class Ftp {
  struct Socket final : HttpClient {
    using HttpClient::HttpClient;
    using HttpClient::take;
    int number() const { return socket(); }
  };

 public:
  explicit Ftp(std::uint16_t port) : plain_(port) { reply(); }

  std::string ask(const std::string& command) {
    send(command + "\r\n");
    return reply();
  }
  void send(const std::string& bytes) {
    if (ssl_) {
      SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      return;
    }
    plain_.send(bytes);
  }
  std::string reply() {
    std::size_t end = 0;
    while ((end = received_.find("\r\n")) == std::string::npos) {
      char piece[4096];
      const long count = ssl_ ? SSL_read(ssl_.get(), piece, sizeof piece) : plain_.take(piece, sizeof piece);
      if (count <= 0) return "";
      received_.append(piece, static_cast<std::size_t>(count));
    }
    std::string line = received_.substr(0, end);
    received_.erase(0, end + 2);
    return line;
  }
  bool begin_tls() {
    ssl_ = connect(plain_.number());
    return ssl_ != nullptr;
  }
  void log_in_privately() {
    REQUIRE(ask("AUTH TLS").starts_with("234"));
    REQUIRE(begin_tls());
    for (const char* each : {"USER anonymous", "PBSZ 0", "PROT P", "TYPE I"})
      REQUIRE(ask(each).starts_with("2"));
  }

  enum class Resume { control, nothing };
  // A data connection for `command`: null when it was refused. The handshake comes after the 150.
  struct Data {
    std::unique_ptr<HttpClient> socket;
    std::shared_ptr<SSL> ssl;
  };
  Data open(const std::string& command, Resume resume = Resume::control) {
    const std::string passive = ask("EPSV");
    const auto bar = passive.find("|||") + 3;
    Data data;
    data.socket = std::make_unique<Socket>(static_cast<std::uint16_t>(std::stoi(passive.substr(bar))));
    REQUIRE(ask(command).starts_with("150"));
    SSL_SESSION* const session = resume == Resume::control ? SSL_get1_session(ssl_.get()) : nullptr;
    data.ssl = connect(static_cast<Socket*>(data.socket.get())->number(), session);
    SSL_SESSION_free(session);
    return data;
  }

 private:
  std::shared_ptr<SSL> connect(int socket, SSL_SESSION* session = nullptr) {
    const std::shared_ptr<SSL> ssl(SSL_new(context_.get()), &SSL_free);
    if (session != nullptr) SSL_set_session(ssl.get(), session);
    SSL_set_fd(ssl.get(), socket);
    return SSL_connect(ssl.get()) == 1 ? ssl : nullptr;
  }

  std::shared_ptr<SSL_CTX> context_{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
  Socket plain_;
  std::shared_ptr<SSL> ssl_;
  std::string received_;
};

std::uint16_t ftp_port(const Secure& secure) {
  return secure.running.daemon->ftp().port(0);
}

}  // namespace

TEST_CASE("what was put over TLS comes back, byte for byte, over one kept connection", "[integration][tls]") {
  Secure secure;
  HttpsClient client(secure.port(), secure.authority);
  const std::string content = many_bytes(9'000'001);
  CHECK(client.request("PUT", "/sstate-cache/ab/x", "", content).status == 201);
  CHECK(client.request("HEAD", "/sstate-cache/ab/x").fields["content-length"] == "9000001");
  CHECK(client.request("GET", "/sstate-cache/ab/x").body == content);
  CHECK(client.request("GET", "/sstate-cache/ab/x", "Range: bytes=8999999-\r\n").body ==
        content.substr(8999999));
  CHECK(client.request("GET", "/sstate-cache/ab/y").status == 404);
}

TEST_CASE("small and empty files go out with their header", "[integration][tls]") {
  Secure secure([](Config& config) {
    NamespaceConfig generic;
    generic.name = "generic";
    config.namespaces.push_back(generic);
  });
  HttpsClient client(secure.port(), secure.authority);
  for (const std::size_t size : {0, 1, 4095, 16384, 65536, 65537}) {
    INFO(size);
    const std::string target = "/generic/" + std::to_string(size);
    const std::string content = many_bytes(size);
    CHECK(client.request("PUT", target, "", content).status == 201);
    const HttpAnswer answer = client.request("GET", target);
    CHECK(answer.status == 200);
    CHECK(answer.body == content);
  }
}

TEST_CASE("pipelined requests under TLS are answered in order, and others meanwhile", "[integration][tls]") {
  Secure secure([](Config& config) { config.loops = 1; });
  HttpsClient client(secure.port(), secure.authority);
  REQUIRE(client.request("PUT", "/downloads/a", "", "content of a").status == 201);
  std::string burst;
  for (int i = 0; i < 2000; ++i)
    burst += "GET /downloads/" + std::string(i % 2 == 0 ? "a" : "b") + " HTTP/1.1\r\nHost: t\r\n\r\n";
  client.send(burst);
  HttpsClient other(secure.port(), secure.authority);
  CHECK(other.request("HEAD", "/downloads/a").status == 200);
  for (int i = 0; i < 2000; ++i) REQUIRE(client.receive().status == (i % 2 == 0 ? 200 : 404));
}

TEST_CASE("a large answer from memory is whole under TLS, however late it is read", "[integration][tls]") {
  Secure secure;
  HttpsClient client(secure.port(), secure.authority);
  std::string names;
  for (int i = 0; i < 60'000; ++i) names += std::to_string(i) + std::string(200, 'x') + "\n";
  client.send("POST /-/v1/find-missing?namespace=downloads HTTP/1.1\r\nHost: t\r\nContent-Length: " +
              std::to_string(names.size()) + "\r\n\r\n" + names);
  std::this_thread::sleep_for(500ms);  // until the socket is full
  CHECK(client.receive().body == names);
}

TEST_CASE("a client that says its end still gets its answer", "[integration][tls]") {
  Secure secure;
  HttpsClient client(secure.port(), secure.authority);
  const std::string content = many_bytes(200'000);
  REQUIRE(client.request("PUT", "/downloads/a", "", content).status == 201);
  client.send("GET /downloads/a HTTP/1.1\r\nHost: t\r\n\r\n");
  client.say_end();
  CHECK(client.receive().body == content);
  CHECK(client.ended());
  CHECK((SSL_get_shutdown(client.ssl()) & SSL_RECEIVED_SHUTDOWN) != 0);
}

TEST_CASE("the end of a connection is said, so that nobody takes a cut for it", "[integration][tls]") {
  Secure secure;
  HttpsClient client(secure.port(), secure.authority);
  CHECK(client.request("GET", "/downloads/a", "Connection: close\r\n").status == 404);
  CHECK(client.ended());
  CHECK((SSL_get_shutdown(client.ssl()) & SSL_RECEIVED_SHUTDOWN) != 0);
}

TEST_CASE("an upload that is cut off under TLS leaves nothing", "[integration][tls]") {
  Secure secure;
  {
    HttpsClient client(secure.port(), secure.authority);
    client.send("PUT /downloads/a HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n" +
                many_bytes(300'000));
    client.drop();
  }
  CHECK(eventually([&] { return std::filesystem::is_empty(secure.staging()); }));
  CHECK(eventually([&] { return secure.store().reserved_bytes() == 0; }));
  HttpsClient client(secure.port(), secure.authority);
  CHECK(client.request("HEAD", "/downloads/a").status == 404);
}

TEST_CASE("plain HTTP on the port of https is told so", "[integration][tls]") {
  Secure secure;
  HttpClient client(secure.port());
  const HttpAnswer answer = client.request("DELETE", "/downloads/a");
  CHECK(answer.status == 400);
  CHECK(answer.body.find("https://") != std::string::npos);
  CHECK(client.ended());
}

TEST_CASE("a handshake that does not go on is cut off at its deadline", "[integration][tls]") {
  Secure secure([](Config& config) { config.tls.handshake_timeout = 1s; });
  HttpClient silent(secure.port());
  HttpClient half(secure.port());
  half.send(std::string("\x16\x03\x01\x02\x00\x01\x00", 7));
  CHECK(silent.ended());
  CHECK(half.ended());
  CHECK(eventually([&] { return secure.running.daemon->http().idle(); }));
}

TEST_CASE("garbage behind a good first byte ends the connection, and others are served",
          "[integration][tls]") {
  Secure secure;
  for (int i = 0; i < 20; ++i) {
    HttpClient client(secure.port());
    client.send("\x16" + many_bytes(500 + static_cast<std::size_t>(i) * 700));
    CHECK(client.ended());
  }
  HttpsClient client(secure.port(), secure.authority);
  CHECK(client.request("HEAD", "/downloads/a").status == 404);
}

TEST_CASE("who wants another protocol than HTTP/1.1 is turned away", "[integration][tls]") {
  Secure secure;
  HttpsClient::Options options;
  options.protocols = {
      "\x03"
      "ftp",
      4};
  CHECK_THROWS(HttpsClient(secure.port(), secure.authority, options));
  options.protocols = {"\x02h2\x08http/1.1", 12};
  CHECK(HttpsClient(secure.port(), secure.authority, options).request("HEAD", "/downloads/a").status == 404);
  options.protocols.clear();
  CHECK(HttpsClient(secure.port(), secure.authority, options).request("HEAD", "/downloads/a").status == 404);
}

TEST_CASE("a renewed certificate is shown to new connections, old ones live on", "[integration][tls]") {
  Secure secure;
  HttpsClient old(secure.port(), secure.authority);
  REQUIRE(old.request("PUT", "/downloads/a", "", "content").status == 201);
  TestAuthority::Wish wish;
  wish.name = "renewed";
  secure.authority.issue("server", wish);
  CHECK(eventually(
      [&] { return HttpsClient(secure.port(), secure.authority).certificate_name() == "renewed"; }));
  CHECK(old.certificate_name() == "localhost");
  CHECK(old.request("GET", "/downloads/a").body == "content");
}

TEST_CASE("a client is known by its certificate, and is the uploader", "[integration][tls]") {
  Secure secure([](Config& config) {
    config.tls.client_certificates = ClientCertificates::required;
    const std::filesystem::path own = config.tls.certificates.front().certificate;
    config.tls.client_ca = own.parent_path() / "ca.pem";
  });
  TestAuthority::Wish wish;
  wish.name = "ci-7";
  const auto shown = secure.authority.issue("ci", wish);
  HttpsClient::Options options;
  options.shows = &shown;
  HttpsClient client(secure.port(), secure.authority, options);
  CHECK(client.request("PUT", "/downloads/a", "", "content").status == 201);
  LedgerQuery by_ci;
  by_ci.actor = "ci-7";
  CHECK(secure.store().ledger(by_ci, std::numeric_limits<std::uint64_t>::max(), 10)->lines.size() == 1);

  TemporaryDirectory elsewhere;
  const TestAuthority stranger(elsewhere.path());
  const auto forged = stranger.issue("ci", wish);
  for (const TestAuthority::Files* each : {&forged, static_cast<const TestAuthority::Files*>(nullptr)}) {
    options.shows = each;
    bool refused = false;
    try {  // TLS 1.3 tells a client only with the first answer
      HttpsClient intruder(secure.port(), secure.authority, options);
      refused = intruder.request("HEAD", "/downloads/a").status == 0;
    } catch (const std::runtime_error&) {
      refused = true;
    }
    CHECK(refused);
  }
}

TEST_CASE("the daemon stops while a handshake is under way", "[integration][tls]") {
  Secure secure;
  HttpClient half(secure.port());
  half.send(std::string("\x16\x03\x01\x02\x00\x01\x00", 7));
  const auto before = std::chrono::steady_clock::now();
  CHECK(secure.running.daemon->stop());
  CHECK(std::chrono::steady_clock::now() - before < 5s);
}

TEST_CASE("commands sent in the clear behind AUTH are not heard", "[integration][tls]") {
  Secure secure;
  Ftp client(ftp_port(secure));
  client.send("AUTH TLS\r\nUSER anonymous\r\nNOOP\r\nQU");
  CHECK(client.reply().starts_with("234"));
  REQUIRE(client.begin_tls());
  CHECK(client.ask("PWD").starts_with("530"));  // nobody has logged in, and no QU stands before it
}

TEST_CASE("data connections resume the session of their own control connection", "[integration][tls]") {
  Secure secure;
  Ftp one(ftp_port(secure));
  one.log_in_privately();
  CHECK(one.ask("NOOP").starts_with("200"));  // the ticket has come with it

  const Ftp::Data fresh = one.open("NLST /", Ftp::Resume::nothing);
  CHECK(one.reply().starts_with("522"));
  const Ftp::Data resumed = one.open("NLST /");
  REQUIRE(resumed.ssl);
  CHECK(one.reply().starts_with("226"));
}

TEST_CASE("an upload counts when its end was said under TLS, and not when it was cut", "[integration][tls]") {
  Secure secure;
  Ftp client(ftp_port(secure));
  client.log_in_privately();
  CHECK(client.ask("NOOP").starts_with("200"));
  const std::string content = many_bytes(100'000);

  Ftp::Data cut = client.open("STOR /downloads/x.bin");
  REQUIRE(cut.ssl);
  SSL_write(cut.ssl.get(), content.data(), static_cast<int>(content.size()));
  cut.socket->drop();  // FIN, as somebody in between can send it
  CHECK(client.reply().starts_with("426"));
  CHECK(client.ask("SIZE /downloads/x.bin").starts_with("550"));

  Ftp::Data whole = client.open("STOR /downloads/x.bin");
  REQUIRE(whole.ssl);
  SSL_write(whole.ssl.get(), content.data(), static_cast<int>(content.size()));
  SSL_shutdown(whole.ssl.get());
  CHECK(client.reply().starts_with("226"));
  CHECK(client.ask("SIZE /downloads/x.bin") == "213 100000");
}

TEST_CASE("commands that share a record with STOR are heard during the transfer", "[integration][tls]") {
  Secure secure;
  Ftp client(ftp_port(secure));
  client.log_in_privately();
  CHECK(client.ask("EPSV").starts_with("229"));
  std::string burst = "STOR /downloads/x.bin\r\n";
  for (int i = 0; i < 200; ++i) burst += "STAT /downloads/not-there\r\n";  // more than is read at once
  client.send(burst + "ABOR\r\n");
  CHECK(client.reply().starts_with("426"));
}
