// Many small artifacts in one request, to a daemon in this process.
#include "common/hasher.hpp"
#include "common/upload_batch.hpp"
#include "server/http/gzip.hpp"
#include "tests/integration/running_daemon.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/http_client.hpp"

using namespace larder;

namespace {

constexpr const char* k_downloads = "/-/v1/uploads?namespace=downloads";

std::string artifact(std::string_view path, std::string_view bytes, std::string_view announced) {
  std::string text;
  append_digest_line(text, path, Hasher::of(announced), bytes.size());
  return text.append(bytes);
}
std::string artifact(std::string_view path, std::string_view bytes) {
  return artifact(path, bytes, bytes);
}

std::vector<api::UploadResult> results_in(std::string_view lines) {
  std::vector<api::UploadResult> results;
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    results.push_back(*api::upload_result_from_json(lines.substr(0, end)));
    lines.remove_prefix(end + 1);
  }
  return results;
}

std::vector<int> statuses_in(std::string_view lines) {
  std::vector<int> statuses;
  for (const api::UploadResult& each : results_in(lines)) statuses.push_back(each.problem.status);
  return statuses;
}

}  // namespace

TEST_CASE("artifacts that come together are stored, each as a PUT would store it", "[integration]") {
  const Durability durability = GENERATE(Durability::none, Durability::batch, Durability::each);
  Running running([&](Config& config) { config.durability = durability; });
  HttpClient client(running.port());
  REQUIRE(client.request("PUT", "/downloads/there", "", "same").status == 201);
  REQUIRE(client.request("PUT", "/downloads/taken", "", "first").status == 201);
  const std::string large = many_bytes(300'000);
  const auto answer = client.request(
      "POST", k_downloads, "",
      artifact("new", "one") + artifact("dir/deep/new", "one") + artifact("there", "same") +
          artifact("taken", "second") + artifact("../out", "x") + artifact("index.txt", "x") +
          artifact("wrong", "other", "announced") + artifact("twice", "a") + artifact("twice", "a") +
          artifact("twice", "b") + artifact("empty", "") + artifact("large", large));
  CHECK(answer.status == 200);
  const auto results = results_in(answer.body);
  REQUIRE(results.size() == 12);
  CHECK(statuses_in(answer.body) ==
        std::vector<int>{201, 201, 200, 409, 400, 400, 422, 201, 200, 409, 400, 201});
  CHECK(results[3].path == "taken");
  CHECK(results[3].problem.code == "conflict");
  CHECK(results[3].problem.existing == Hasher::of("first").hex());
  CHECK(results[3].problem.offered == Hasher::of("second").hex());

  CHECK(client.request("GET", "/downloads/new").body == "one");
  CHECK(client.request("GET", "/downloads/dir/deep/new").body == "one");
  CHECK(client.request("GET", "/downloads/taken").body == "first");
  CHECK(client.request("GET", "/downloads/twice").body == "a");
  CHECK(client.request("GET", "/downloads/large").body == large);
  CHECK(client.request("GET", "/downloads/wrong").status == 404);
}

TEST_CASE("a name that is none is refused alone, and not repeated", "[integration]") {
  Running running;
  HttpClient client(running.port());
  const auto answer = client.request("POST", k_downloads, "",
                                     artifact("bad\xFF", "x") + artifact("c\x01", "x") +
                                         artifact(std::string(4000, 'a'), "x") + artifact("good", "x"));
  CHECK(statuses_in(answer.body) == std::vector<int>{400, 400, 400, 201});
  CHECK(results_in(answer.body)[0].path.empty());
  CHECK(results_in(answer.body)[3].path == "good");
}

TEST_CASE("where something is there already, nothing is replaced when that is asked", "[integration]") {
  Running running;
  HttpClient client(running.port());
  REQUIRE(client.request("PUT", "/downloads/git2_grows.tar.gz", "", "one").status == 201);
  const auto answer = client.request("POST", k_downloads, "If-None-Match: *\r\n",
                                     artifact("git2_grows.tar.gz", "two") + artifact("new", "x"));
  CHECK(statuses_in(answer.body) == std::vector<int>{412, 201});
  CHECK(client.request("GET", "/downloads/git2_grows.tar.gz").body == "one");
}

TEST_CASE("growing tarballs that come together are replaced", "[integration]") {
  Running running;
  HttpClient client(running.port());
  constexpr std::string_view k_name = "git2_example.org.repo.tar.gz";
  const auto send = [&](std::string_view bytes) {
    return statuses_in(client.request("POST", k_downloads, "", artifact(k_name, bytes)).body);
  };
  CHECK(send("old") == std::vector<int>{201});
  CHECK(send("newer") == std::vector<int>{200});
  CHECK(client.request("GET", "/downloads/" + std::string(k_name)).body == "newer");
}

TEST_CASE("a request with several artifacts may be packed", "[integration]") {
  Running running;
  HttpClient client(running.port());
  http::GzipWriter writer;
  std::string packed = writer.compress(artifact("a", std::string(1000, 'x')));
  packed += writer.finish();
  CHECK(statuses_in(client.request("POST", k_downloads, "Content-Encoding: gzip\r\n", packed).body) ==
        std::vector<int>{201});
  CHECK(client.request("GET", "/downloads/a").body == std::string(1000, 'x'));
  CHECK(client.request("POST", k_downloads, "Content-Encoding: br\r\n", packed).status == 415);
}

TEST_CASE("what is no request with artifacts is refused whole, and nothing of it is stored",
          "[integration]") {
  Running running;
  HttpClient client(running.port());
  const std::string good = artifact("good", "bytes");
  CHECK(client.request("POST", k_downloads, "", good + "rubbish").status == 400);
  CHECK(client.request("POST", "/-/v1/uploads", "", good).status == 400);
  CHECK(client.request("POST", "/-/v1/uploads?namespace=nowhere", "", good).status == 404);
  CHECK(client.request("GET", k_downloads).status == 405);
  for (const char* field :
       {"If-Match: \"x\"\r\n", "If-None-Match: \"x\"\r\n", "Content-Range: bytes 0-1/2\r\n",
        "If-Unmodified-Since: Mon, 02 Jan 2006 15:04:05 GMT\r\n",
        "Repr-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n"}) {
    INFO(field);
    CHECK(client.request("POST", k_downloads, field, good).status == 400);
  }
  CHECK(client.request("GET", "/downloads/good").status == 404);
  client.send("POST " + std::string(k_downloads) + " HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(client.receive().status == 411);
  HttpClient another(running.port());
  CHECK(another.request("POST", k_downloads, "", std::string(k_most_upload_bytes + 1, 'x')).status == 413);
}
