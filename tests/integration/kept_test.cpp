// Connections that are kept: what is answered in place and what a session answers must
// look the same to the client, and come in the order in which it asked.
#include <future>
#include <vector>

#include "tests/integration/running_daemon.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/https_client.hpp"

using namespace larder;
using namespace std::chrono_literals;

namespace {

struct Question {
  std::string method;
  std::string target;
  std::string fields;
  std::string body;

  std::string text() const {
    std::string all = method + " " + target + " HTTP/1.1\r\nHost: t\r\n" + fields;
    if (method == "PUT") all += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return all + "\r\n" + body;
  }
};

// What memory answers, and between that what it does not.
std::vector<Question> mixed_questions() {
  const std::string small = many_bytes(20'000);
  return {
      {"HEAD", "/downloads/small", "", ""},
      {"GET", "/downloads/small", "Accept: */*\r\n", ""},
      {"HEAD", "/downloads/missing", "", ""},
      {"GET", "/downloads/missing", "", ""},
      {"GET", "/downloads/small", "Range: bytes=5-104\r\n", ""},
      {"GET", "/downloads/large", "", ""},
      {"HEAD", "/downloads/large", "User-Agent: test\r\n", ""},
      {"GET", "/downloads/small", "If-None-Match: *\r\n", ""},
      {"PUT", "/downloads/new", "", small},
      {"GET", "/downloads/new", "", ""},
      {"GET", "/-/health", "", ""},
      {"GET", "/downloads/%73mall", "X-Unheard-Of: yes\r\n", ""},
      {"HEAD", "/downloads/", "", ""},
      {"HEAD", "/downloads/small", "Connection: keep-alive\r\n", ""},
      {"DELETE", "/downloads/new", "", ""},
      {"HEAD", "/downloads/new", "", ""},
  };
}

void fill(HttpClient& client) {
  REQUIRE(client.request("PUT", "/downloads/small", "", many_bytes(20'000)).status == 201);
  REQUIRE(client.request("PUT", "/downloads/large", "", many_bytes(700'000)).status == 201);
}

void compare(HttpAnswer one, HttpAnswer other) {
  for (const char* const moment : {"date", "last-modified"}) {
    CHECK(one.fields.count(moment) == other.fields.count(moment));
    one.fields.erase(moment);
    other.fields.erase(moment);
  }
  CHECK(one.status == other.status);
  CHECK(one.fields == other.fields);
  CHECK(one.body == other.body);
}

// The questions one after the other, each on a connection of its own, and then all at once.
void ask_both_ways(const std::function<std::unique_ptr<HttpClient>()>& connect, std::size_t cut) {
  INFO("in pieces of " << cut << " bytes");
  const std::vector<Question> questions = mixed_questions();
  std::vector<HttpAnswer> apart;
  std::string burst;
  for (const Question& each : questions) {
    const auto client = connect();
    client->send(each.text());
    apart.push_back(client->receive(each.method == "HEAD"));
    burst += each.text();
  }
  const auto client = connect();
  for (std::size_t at = 0; at < burst.size(); at += cut)
    client->send(std::string_view(burst).substr(at, cut));
  for (std::size_t i = 0; i < questions.size(); ++i) {
    INFO(questions[i].text().substr(0, 60));
    compare(client->receive(questions[i].method == "HEAD"), apart[i]);
  }
}

// Answers far beyond what the socket takes at once, to somebody who only asks at first.
void read_late(HttpClient& client) {
  constexpr int k_questions = 400;  // 8 MB of answers
  const std::string small = many_bytes(20'000);
  std::string burst;
  for (int i = 0; i < k_questions; ++i) burst += Question{"GET", "/downloads/small", "", ""}.text();
  client.send(burst);
  for (int i = 0; i < k_questions; ++i) {
    const HttpAnswer answer = client.receive();
    REQUIRE(answer.status == 200);
    REQUIRE(answer.body == small);
  }
  CHECK(client.request("HEAD", "/downloads/missing").status == 404);
}

struct Secure {
  explicit Secure(const std::function<void(Config&)>& change = [](Config&) {})
      : running([this, &change](Config& config) {
          config.http.listen.clear();
          config.http.listen_tls = {{"127.0.0.1", 0}};
          config.tls.certificates = {{files.certificate, files.key}};
          change(config);
        }) {}

  TemporaryDirectory directory;
  TestAuthority authority{directory.path()};
  TestAuthority::Files files = authority.issue("server");
  Running running;
};

}  // namespace

TEST_CASE("a burst is answered as its requests are one by one, in every cut", "[integration][kept]") {
  Running running;
  const auto connect = [&] { return std::make_unique<HttpClient>(running.port()); };
  fill(*connect());
  for (const std::size_t cut : {1'000'000, 20'000, 1'000, 97}) ask_both_ways(connect, cut);
}

TEST_CASE("the same over TLS, where pieces are records", "[integration][kept][tls]") {
  Secure secure;
  const auto connect = [&] { return std::make_unique<HttpsClient>(secure.running.port(), secure.authority); };
  fill(*connect());
  for (const std::size_t cut : {1'000'000, 16'384, 1'000, 97}) ask_both_ways(connect, cut);
}

TEST_CASE("several records that come at once are all answered", "[integration][kept][tls]") {
  Secure secure;
  HttpsClient first(secure.running.port(), secure.authority);
  fill(first);
  const std::string get = Question{"GET", "/downloads/small", "", ""}.text();
  const std::string options = Question{"OPTIONS", "/downloads/small", "", ""}.text();
  for (const std::size_t count : {1, 2, 3, 4, 5, 6, 9, 17, 40}) {
    INFO(count << " records");
    HttpsClient client(secure.running.port(), secure.authority);  // right behind the handshake,
    client.send_together(std::vector<std::string>(count, get));
    for (std::size_t i = 0; i < count; ++i) REQUIRE(client.receive().body.size() == 20'000);
    std::vector<std::string> records(count, get);  // on a kept connection,
    client.send_together(records);
    for (std::size_t i = 0; i < count; ++i) REQUIRE(client.receive().body.size() == 20'000);
    records.insert(records.begin(), options);  // and behind what takes a session
    client.send_together(records);
    REQUIRE(client.receive().status / 100 == 2);
    for (std::size_t i = 0; i < count; ++i) REQUIRE(client.receive().body.size() == 20'000);
  }
}

TEST_CASE("an answer that has begun is finished when the daemon stops", "[integration][kept]") {
  Running running([](Config& config) { config.shutdown_timeout = 20s; });
  HttpClient filler(running.port());
  fill(filler);
  const std::string get = Question{"GET", "/downloads/small", "", ""}.text();
  // So many that some of them wait for room in the middle of their last answer.
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int count = 1; count <= 160; ++count) {
    std::string burst;
    for (int i = 0; i < count; ++i) burst += get;
    clients.push_back(std::make_unique<HttpClient>(running.port(), 4096));
    clients.back()->send(burst);
    REQUIRE(clients.back()->receive().body.size() == 20'000);
  }
  auto stopped = std::async(std::launch::async, [&] { return running.daemon->stop().ok(); });
  for (const auto& client : clients) {
    HttpAnswer answer = client->receive();
    for (; answer.status == 200; answer = client->receive()) REQUIRE(answer.body.size() == 20'000);
    CHECK(answer.status == 0);
  }
  CHECK(stopped.get());
}

TEST_CASE("empty lines do not keep a connection", "[integration][kept]") {
  Running running([](Config& config) { config.http.idle_timeout = 2s; });
  HttpClient client(running.port());
  CHECK(client.request("HEAD", "/downloads/missing").status == 404);
  client.send("\r\n");
  CHECK(client.ended());
}

TEST_CASE("a client that reads late gets everything", "[integration][kept]") {
  Running running;
  HttpClient client(running.port());
  fill(client);
  read_late(client);
}

TEST_CASE("a client that reads late gets everything over TLS", "[integration][kept][tls]") {
  Secure secure;
  HttpsClient client(secure.running.port(), secure.authority);
  fill(client);
  read_late(client);
}

TEST_CASE("who says that no more comes is answered, and then it is over", "[integration][kept]") {
  Running running;
  HttpClient client(running.port());
  fill(client);
  std::string burst;
  for (int i = 0; i < 100; ++i) burst += Question{"GET", "/downloads/small", "", ""}.text();
  client.send(burst);
  client.finish_sending();
  for (int i = 0; i < 100; ++i) REQUIRE(client.receive().body.size() == 20'000);
  CHECK(client.ended());
  CHECK(eventually([&] { return running.daemon->http().idle(); }));
}

TEST_CASE("a header that begins on a kept connection has a deadline", "[integration][kept]") {
  Running running([](Config& config) { config.http.header_timeout = 1s; });
  HttpClient client(running.port());
  CHECK(client.request("HEAD", "/downloads/missing").status == 404);
  client.send("HEAD /downloads/mis");
  CHECK(client.ended());
}

TEST_CASE("a record that begins on a kept connection does not keep it alive", "[integration][kept][tls]") {
  Secure secure([](Config& config) { config.http.idle_timeout = 2s; });
  HttpsClient client(secure.running.port(), secure.authority);
  CHECK(client.request("HEAD", "/downloads/missing").status == 404);
  client.put_plain("\x17\x03\x03\x01");
  CHECK(client.ended());
}

TEST_CASE("connections that wait for a request end with the daemon at once", "[integration][kept]") {
  Running running;
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<HttpClient>(running.port()));
    CHECK(clients.back()->request("HEAD", "/downloads/missing").status == 404);
  }
  CHECK(running.daemon->http().sessions() == 100);
  CHECK(running.daemon->stop().ok());
  for (const auto& client : clients) CHECK(client->ended());
}
