// TlsEngine against OpenSSL's client over a socket pair that holds little.
#include "server/runtime/tls_engine.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "tests/support/catch.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/test_authority.hpp"

using namespace larder;

namespace {

using Progress = TlsEngine::Progress;

struct Pair {
  explicit Pair(int version = TLS1_3_VERSION) {
    std::signal(SIGPIPE, SIG_IGN);
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets.data()) == 0);
    const int little = 4096;
    for (const int each : sockets) ::setsockopt(each, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    const auto files = authority.issue("server");
    TlsOptions options;
    options.certificates = {{files.certificate, files.key}};
    engine = std::make_unique<TlsEngine>(load_tls(options, SystemClock().now(), figures).context, sockets[0],
                                         "here");
    client_context.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_max_proto_version(client_context.get(), version);
    client.reset(SSL_new(client_context.get()));
    SSL_set_fd(client.get(), sockets[1]);
  }
  ~Pair() {
    for (const int each : sockets) ::close(each);
  }

  // Turns until both are done; false when the server's side fails.
  bool shake_hands() {
    Progress progress = Progress::wants_read;
    for (int turn = 0; turn < 100; ++turn) {
      const int connected = SSL_connect(client.get());
      if (progress != Progress::done) progress = engine->accept().progress;
      if (progress >= Progress::ended) return false;
      if (connected == 1 && progress == Progress::done) return true;
    }
    return false;
  }
  std::string read_of_client() {
    char piece[8192];
    const int count = SSL_read(client.get(), piece, sizeof piece);
    return {piece, static_cast<std::size_t>(std::max(count, 0))};
  }

  TemporaryDirectory directory;
  TestAuthority authority{directory.path()};
  std::shared_ptr<TlsFigures> figures = std::make_shared<TlsFigures>();
  std::array<int, 2> sockets{};
  std::unique_ptr<TlsEngine> engine;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> client_context{nullptr, &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> client{nullptr, &SSL_free};
};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

}  // namespace

TEST_CASE("what does not fit waits, is offered again from elsewhere, and arrives in order", "[tls]") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Pair pair(version);
    REQUIRE(pair.shake_hands());
    const std::string content = pattern(500'000);
    std::string received;
    std::size_t sent = 0;
    std::size_t waited = 0;
    while (received.size() < content.size()) {
      if (sent < content.size()) {
        const std::string copy = content.substr(sent);  // at another address each time
        const TlsEngine::Step step = pair.engine->write(copy);
        REQUIRE((step.progress == Progress::done || step.progress == Progress::wants_write));
        sent += step.count;
        waited += step.progress == Progress::wants_write ? 1 : 0;
      }
      received += pair.read_of_client();
    }
    CHECK(waited > 0);
    CHECK(received == content);
  }
}

TEST_CASE("a peer that changes its keys in the middle of a full connection is gone along with", "[tls]") {
  Pair pair;
  REQUIRE(pair.shake_hands());
  const std::string content = pattern(200'000);
  std::string received;
  std::size_t sent = 0;
  std::array<char, 64> into{};
  for (int turn = 0; received.size() < content.size(); ++turn) {
    REQUIRE(turn < 10'000);
    if (turn == 3) {
      REQUIRE(SSL_key_update(pair.client.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
      REQUIRE(SSL_write(pair.client.get(), "hello", 5) == 5);
    }
    if (sent < content.size()) {
      const TlsEngine::Step step = pair.engine->write(std::string_view(content).substr(sent));
      REQUIRE(step.progress <= Progress::wants_write);
      sent += step.count;
    }
    const TlsEngine::Step heard = pair.engine->read(into);
    REQUIRE(heard.progress <= Progress::wants_write);
    if (heard.count > 0) CHECK(std::string_view(into.data(), heard.count) == "hello");
    received += pair.read_of_client();
  }
  CHECK(received == content);
}

TEST_CASE("an end that was said and one that was not are told apart", "[tls]") {
  std::array<char, 64> into{};
  {
    Pair pair;
    REQUIRE(pair.shake_hands());
    SSL_shutdown(pair.client.get());
    CHECK(pair.engine->read(into).progress == Progress::ended);
    CHECK(pair.engine->write("still").progress == Progress::done);  // half closed
    CHECK(pair.engine->say_end().progress == Progress::done);
    CHECK(pair.read_of_client() == "still");
    (void)pair.read_of_client();
    CHECK((SSL_get_shutdown(pair.client.get()) & SSL_RECEIVED_SHUTDOWN) != 0);
  }
  Pair pair;
  REQUIRE(pair.shake_hands());
  ::shutdown(pair.sockets[1], SHUT_WR);
  CHECK(pair.engine->read(into).progress == Progress::cut);
}

TEST_CASE("what is no TLS is broken, and counted", "[tls]") {
  Pair pair;
  REQUIRE(::write(pair.sockets[1], "\x16\x03\x01\x00\x05rubbish", 12) == 12);
  CHECK(pair.engine->accept().progress == Progress::broken);
  CHECK(pair.figures->failures == 1);
  CHECK(pair.figures->handshakes == 0);
  CHECK(pair.engine->write("x").progress >= Progress::cut);
}

TEST_CASE("a detached engine leaves the number of its socket alone", "[tls]") {
  Pair pair;
  REQUIRE(pair.shake_hands());
  pair.engine->detach();
  std::array<char, 8> into{};
  CHECK(pair.engine->read(into).progress == Progress::cut);
  CHECK(pair.engine->write("x").progress == Progress::cut);
  CHECK(pair.engine->say_end().progress == Progress::cut);
  CHECK(pair.read_of_client().empty());
}
