#include "common/upload_batch.hpp"

#include "common/hasher.hpp"
#include "tests/support/catch.hpp"

using namespace larder;

namespace {

std::string artifact(std::string_view path, std::string_view bytes) {
  std::string text;
  append_digest_line(text, path, Hasher::of(bytes), bytes.size());
  return text.append(bytes);
}

}  // namespace

TEST_CASE("a batch of uploads is each artifact's line and its bytes", "[upload_batch]") {
  const std::string hello = artifact("ab/cd:e", "hello\nyou\t!");
  const std::string nothing = artifact("empty", "");
  const std::string body = hello + nothing + artifact("last", "x");
  const auto uploads = parse_upload_batch(body);
  REQUIRE(uploads.ok());
  REQUIRE(uploads->size() == 3);
  CHECK((*uploads)[0].file == ListedFile{"ab/cd:e", Hasher::of("hello\nyou\t!"), 11});
  CHECK((*uploads)[0].bytes == "hello\nyou\t!");
  CHECK((*uploads)[1].bytes.empty());
  CHECK((*uploads)[2].bytes == "x");
  CHECK(parse_upload_batch("")->empty());

  // Cut anywhere but between two artifacts, it is refused.
  for (std::size_t cut = 1; cut < body.size(); ++cut) {
    INFO(cut);
    const bool between = cut == hello.size() || cut == hello.size() + nothing.size();
    CHECK(parse_upload_batch(body.substr(0, cut)).ok() == between);
  }
}

TEST_CASE("what is wrong with a batch of uploads is said with its number", "[upload_batch]") {
  struct Case {
    std::string body;
    std::string told;
  };
  const std::string good = artifact("a", "b");
  const std::string digest = Hasher::of("b").hex();
  const auto each = GENERATE_COPY(values<Case>({
      {good + "b", "artifact 2: no line of path, SHA-256 and size"},
      {good + std::string(20'000, 'a') + "\n", "artifact 2: no line of path, SHA-256 and size"},
      {"a\n", "artifact 1: its line is not path, SHA-256 and size, with tabs between them"},
      {"a\tb\t1\nb", "artifact 1: its line is not path, SHA-256 and size, with tabs between them"},
      {"a\t" + digest + "\t-1\nb",
       "artifact 1: its line is not path, SHA-256 and size, with tabs between them"},
      {"a\t" + digest + "\t99999999999999999999\nb",
       "artifact 1: its line is not path, SHA-256 and size, with tabs between them"},
      {"a\t" + digest + "\t18446744073709551615\nb", "artifact 1: the body ends within its bytes"},
      {"a\t" + digest + "\t2\nb", "artifact 1: the body ends within its bytes"},
  }));
  const auto uploads = parse_upload_batch(each.body);
  REQUIRE(!uploads.ok());
  CHECK(uploads.error().code() == Errc::invalid_argument);
  CHECK(uploads.error().message() == each.told);
}

TEST_CASE("a batch of uploads has an end", "[upload_batch]") {
  std::string body;
  for (std::size_t i = 0; i < k_most_uploads; ++i) body += artifact("a" + std::to_string(i), "");
  CHECK(parse_upload_batch(body)->size() == k_most_uploads);
  const auto uploads = parse_upload_batch(body + artifact("b", ""));
  REQUIRE(!uploads.ok());
  CHECK(uploads.error().code() == Errc::too_large);
}

TEST_CASE("the result of an upload survives its JSON", "[upload_batch]") {
  api::UploadResult result;
  result.path = "ab/sstate:\"ü\":x.tar.zst";
  result.problem.status = 201;
  CHECK(api::to_json(result) == R"({"path":"ab/sstate:\"ü\":x.tar.zst","status":201})");
  result.problem = {409, "conflict", "holds other bytes", Hasher::of("a").hex(), Hasher::of("b").hex()};
  const auto read = api::upload_result_from_json(api::to_json(result));
  REQUIRE(read.ok());
  CHECK(read->path == result.path);
  CHECK(read->problem.status == 409);
  CHECK(read->problem.code == "conflict");
  CHECK(read->problem.detail == "holds other bytes");
  CHECK(read->problem.existing == Hasher::of("a").hex());
  CHECK(read->problem.offered == Hasher::of("b").hex());
  CHECK(!api::upload_result_from_json("[]").ok());
}
