// A daemon in this process, on port 0 and a real disk: what depends on sockets,
// loops and time together. What clients see in detail is in tests/e2e.
#include <sys/stat.h>

#include <future>

#include "common/hasher.hpp"
#include "tests/integration/running_daemon.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/http_client.hpp"

using namespace larder;
using namespace std::chrono_literals;

TEST_CASE("what was put comes back, over one kept connection", "[integration]") {
  Running running;
  HttpClient client(running.port());
  const std::string content = many_bytes(3'000'000);
  CHECK(client.request("PUT", "/generic/x", "", "y").status == 404);  // no such namespace
  CHECK(client.request("PUT", "/sstate-cache/ab/x", "", content).status == 201);
  CHECK(client.request("HEAD", "/sstate-cache/ab/x").fields["content-length"] == "3000000");
  const HttpAnswer answer = client.request("GET", "/sstate-cache/ab/x");
  CHECK(answer.status == 200);
  CHECK(answer.body == content);
  CHECK(answer.fields.at("etag") == "\"" + Hasher::of(content).hex() + "\"");
  CHECK(client.request("GET", "/sstate-cache/ab/y").status == 404);
  CHECK(client.request("GET", "/sstate-cache/ab/x", "Range: bytes=2999990-\r\n").body ==
        content.substr(2999990));
}

TEST_CASE("pipelined requests are answered in order", "[integration]") {
  Running running;
  HttpClient client(running.port());
  REQUIRE(client.request("PUT", "/downloads/a", "", "content of a").status == 201);
  std::string burst;
  for (int i = 0; i < 200; ++i) {
    burst += "HEAD /downloads/" + std::string(i % 2 == 0 ? "a" : "missing") + " HTTP/1.1\r\nHost: t\r\n\r\n";
    if (i % 10 == 0) burst += "GET /downloads/a HTTP/1.1\r\nHost: t\r\n\r\n";
  }
  client.send(burst);
  for (int i = 0; i < 200; ++i) {
    CHECK(client.receive(true).status == (i % 2 == 0 ? 200 : 404));
    if (i % 10 == 0) CHECK(client.receive().body == "content of a");
  }
}

TEST_CASE("a header that trickles is cut off at its deadline", "[integration]") {
  Running running([](Config& config) { config.http.header_timeout = 1s; });
  HttpClient client(running.port());
  client.send("GET /downloads/a HT");
  CHECK(client.ended());
}

TEST_CASE("an idle connection ends after the idle timeout, not before", "[integration]") {
  Running running([](Config& config) { config.http.idle_timeout = 2s; });
  HttpClient client(running.port());
  const auto before = std::chrono::steady_clock::now();
  CHECK(client.request("HEAD", "/downloads/a").status == 404);
  CHECK(client.ended());
  CHECK(std::chrono::steady_clock::now() - before >= 1900ms);
}

TEST_CASE("an upload that stalls is cut off and leaves nothing", "[integration]") {
  Running running([](Config& config) { config.http.body_timeout = 1s; });
  HttpClient client(running.port());
  client.send("PUT /downloads/a HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\nsome");
  CHECK(client.ended());
  const auto staging = running.directory.path() / "data" / "tmp";
  CHECK(eventually([&] { return std::filesystem::is_empty(staging); }));
  CHECK(running.daemon->store().reserved_bytes() == 0);
}

namespace {

// Takes what comes a little at a time.
class SlowReader : public HttpClient {
 public:
  explicit SlowReader(std::uint16_t port) : HttpClient(port, 64 << 10) {}

 protected:
  long take(char* into, std::size_t room) override {
    std::this_thread::sleep_for(10ms);
    return HttpClient::take(into, std::min<std::size_t>(room, 32 << 10));
  }
};

// Names that are not there: as large an answer as it was a question.
std::string many_missing_names() {
  std::string names;
  for (int i = 0; i < 60'000; ++i) names += std::to_string(i) + std::string(200, 'x') + "\n";
  return names;
}

}  // namespace

TEST_CASE("a large answer from memory is sent to the end to who takes it slowly", "[integration]") {
  Running running([](Config& config) { config.http.body_timeout = 1s; });
  SlowReader client(running.port());
  const std::string names = many_missing_names();
  const auto before = std::chrono::steady_clock::now();
  const HttpAnswer answer = client.request("POST", "/-/v1/find-missing?namespace=downloads", "", names);
  CHECK(std::chrono::steady_clock::now() - before > 3s);
  CHECK(answer.status == 200);
  CHECK(answer.body == names);
}

TEST_CASE("a large answer from memory is cut off when the client takes nothing", "[integration]") {
  Running running([](Config& config) { config.http.body_timeout = 1s; });
  HttpClient client(running.port(), 64 << 10);
  const std::string names = many_missing_names();
  client.send("POST /-/v1/find-missing?namespace=downloads HTTP/1.1\r\nHost: t\r\nContent-Length: " +
              std::to_string(names.size()) + "\r\n\r\n" + names);
  std::this_thread::sleep_for(4s);  // it is the silence that is tested
  CHECK(client.receive().body.size() < names.size());
}

TEST_CASE("connections over the limit are closed, others are served", "[integration]") {
  Running running([](Config& config) { config.http.max_connections = 2; });
  HttpClient first(running.port());
  HttpClient second(running.port());
  CHECK(first.request("HEAD", "/downloads/a").status == 404);
  CHECK(second.request("HEAD", "/downloads/a").status == 404);
  HttpClient third(running.port());
  CHECK(third.ended());
  CHECK(first.request("HEAD", "/downloads/a").status == 404);
}

TEST_CASE("stopping waits for a transfer and cuts idle connections", "[integration]") {
  Running running;
  HttpClient idle(running.port());
  HttpClient busy(running.port());
  CHECK(idle.request("HEAD", "/downloads/a").status == 404);
  const std::string content = many_bytes(100'000);
  busy.send("PUT /downloads/a HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n" +
            content.substr(0, 50'000));
  REQUIRE(eventually([&] { return running.daemon->store().reserved_bytes() == 100'000; }));

  auto stopped = std::async(std::launch::async, [&] { return running.daemon->stop().ok(); });
  CHECK(idle.ended());
  busy.send(content.substr(50'000));
  CHECK(busy.receive().status == 201);
  CHECK(busy.ended());
  CHECK(stopped.get());
}

TEST_CASE("stopping cuts off what is not over in time", "[integration]") {
  Running running([](Config& config) { config.shutdown_timeout = 100ms; });
  HttpClient busy(running.port());
  busy.send("PUT /downloads/a HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\nsome");
  REQUIRE(eventually([&] { return running.daemon->store().reserved_bytes() == 100000; }));
  CHECK(running.daemon->stop());
  CHECK(busy.ended());
}

TEST_CASE("a connection that was silent for a while, and gave back its memory, goes on", "[integration]") {
  Running running;
  HttpClient client(running.port());
  REQUIRE(client.request("PUT", "/downloads/a", "", "content").status == 201);
  HttpClient waiting(running.port());
  std::this_thread::sleep_for(5s);  // it is the silence that is tested
  for (HttpClient* const each : {&client, &waiting}) {
    CHECK(each->request("GET", "/downloads/a").body == "content");
    CHECK(each->request("HEAD", "/downloads/b").status == 404);
  }
}

TEST_CASE("small and large artifacts are the same read cold, kept, and after they were replaced",
          "[integration]") {
  Running running;
  HttpClient client(running.port());
  for (const std::size_t size : {1U, 20480U, 65536U, 65537U, 300000U}) {
    const std::string path = "/downloads/git2_n" + std::to_string(size) + ".tar";
    const std::string first = many_bytes(size);
    const std::string second = first + "more";
    REQUIRE(client.request("PUT", path, "", first).status == 201);
    for (int i = 0; i < 3; ++i) CHECK(client.request("GET", path).body == first);
    CHECK(client.request("GET", path, "Range: bytes=0-0\r\n").body == first.substr(0, 1));
    REQUIRE(client.request("PUT", path, "", second).status == 200);
    for (int i = 0; i < 3; ++i) CHECK(client.request("GET", path).body == second);
    REQUIRE(client.request("DELETE", path).status == 204);
    CHECK(client.request("GET", path).status == 404);
  }
}

TEST_CASE("a full namespace says 507 before the body is sent", "[integration]") {
  Running running([](Config& config) { config.namespaces[0].max_size = 1_MiB; });
  HttpClient client(running.port());
  client.send(
      "PUT /sstate-cache/a HTTP/1.1\r\nHost: t\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n");
  const HttpAnswer answer = client.receive();
  CHECK(answer.status == 507);
  CHECK(answer.fields.at("content-type") == "application/problem+json");
}

TEST_CASE("the tree is there for other programs: sealed files, readable directories", "[integration]") {
  Running running;
  HttpClient client(running.port());
  REQUIRE(client.request("PUT", "/downloads/d/a", "", "content").status == 201);
  struct stat file;
  const auto path = running.directory.path() / "data" / "tree" / "downloads" / "d" / "a";
  REQUIRE(::stat(path.c_str(), &file) == 0);
  CHECK((file.st_mode & 07777) == 0444);
  CHECK(file.st_nlink == 2);
}

TEST_CASE("a symbolic link planted in the tree leads nowhere", "[integration]") {
  Running running;
  const auto tree = running.directory.path() / "data" / "tree";
  std::filesystem::create_directories(tree / "downloads");
  std::filesystem::create_symlink("/etc", tree / "downloads" / "etc");
  std::filesystem::create_symlink("/etc/passwd", tree / "downloads" / "passwd");
  HttpClient client(running.port());
  CHECK(client.request("GET", "/downloads/etc/passwd").status == 404);
  CHECK(client.request("GET", "/downloads/passwd").status == 404);
  CHECK(client.request("PUT", "/downloads/etc/larder-was-here", "", "x").status >= 400);
  CHECK_FALSE(std::filesystem::exists("/etc/larder-was-here"));
}

TEST_CASE("eight clients upload and read at once, and all bytes are right", "[integration]") {
  Running running;
  std::vector<std::future<int>> clients;
  for (int number = 0; number < 8; ++number) {
    clients.push_back(std::async(std::launch::async, [&, number] {
      HttpClient client(running.port());
      int wrong = 0;
      for (int round = 0; round < 40; ++round) {
        const std::string content = many_bytes(20'000 + static_cast<std::size_t>(round % 7) * 1000);
        const std::string name =
            "/sstate-cache/" + std::to_string(round % 16) + "/" + std::to_string(number * 40 + round);
        if (client.request("PUT", name, "", content).status != 201) ++wrong;
        if (client.request("GET", name).body != content) ++wrong;
      }
      return wrong;
    }));
  }
  for (auto& client : clients) CHECK(client.get() == 0);
  CHECK(running.daemon->store().totals()->objects == 7);
}

TEST_CASE("a daemon serves what an earlier one stored", "[integration]") {
  TemporaryDirectory directory;
  const auto use_it = [&](Config& config) { config.data = directory.path() / "shared"; };
  {
    Running first(use_it);
    HttpClient client(first.port());
    REQUIRE(client.request("PUT", "/downloads/a", "", "content").status == 201);
    REQUIRE(first.daemon->stop());
  }
  Running second(use_it);
  HttpClient client(second.port());
  CHECK(client.request("GET", "/downloads/a").body == "content");
  CHECK(second.daemon->store().reconciled());
}

TEST_CASE("a reload changes what it can and keeps the rest", "[integration]") {
  Running running;
  HttpClient client(running.port());
  REQUIRE(client.request("PUT", "/downloads/a", "", "content").status == 201);
  Config next = running.daemon->config();
  next.write = WriteAccess::nobody;
  next.http.listen = {{"127.0.0.1", 1}};
  running.daemon->reload(next);
  CHECK(client.request("PUT", "/downloads/b", "", "content").status == 403);
  CHECK(client.request("GET", "/downloads/a").status == 200);
  CHECK(running.daemon->config().http.listen[0].port == 0);  // a listener needs a restart
}

TEST_CASE("several listeners serve one store, over both families", "[integration]") {
  Running running([](Config& config) { config.http.listen = {{"127.0.0.1", 0}, {"", 0}}; });
  REQUIRE(running.daemon->http().listener_names().size() == 2);
  HttpClient first(running.daemon->http().port(0));
  HttpClient second(running.daemon->http().port(1));  // an IPv4 client of a dual-stack listener
  REQUIRE(first.request("PUT", "/downloads/a", "", "content").status == 201);
  CHECK(second.request("GET", "/downloads/a").body == "content");
  CHECK(second.request("PUT", "/downloads/b", "", "x").status == 201);  // 127.0.0.1 mapped is loopback, too
}

TEST_CASE("the data directory cannot be adopted into itself", "[integration]") {
  Running running;
  const auto data = running.daemon->config().data;
  CHECK(check_apart(data, data).error().code() == Errc::invalid_argument);
  CHECK(check_apart(data.parent_path(), data).error().code() == Errc::invalid_argument);
  CHECK(check_apart(data / "tree", data).error().code() == Errc::invalid_argument);
  std::filesystem::create_directory(data.parent_path() / "data-next-door");
  CHECK(check_apart(data.parent_path() / "data-next-door", data).ok());
}

TEST_CASE("very many short names in one question are refused, not held in memory", "[integration]") {
  Running running;
  HttpClient client(running.port());
  std::string names;
  for (int i = 0; i < 600'000; ++i) names += "a\n";
  CHECK(client.request("POST", "/-/v1/find-missing?namespace=downloads", "", names).status == 413);
}

TEST_CASE("stopping in a storm of new connections ends in order", "[integration]") {
  for (int round = 0; round < 5; ++round) {
    Running running;
    std::atomic<bool> over{false};
    std::thread storm([&] {
      while (!over) {
        try {
          HttpClient client(running.port());
          client.send("HEAD /downloads/a HTTP/1.1\r\nHost: t\r\n\r\n");
        } catch (const std::exception&) {  // nobody listens any more
        }
      }
    });
    CHECK(running.daemon->stop());
    over = true;
    storm.join();
  }
}
