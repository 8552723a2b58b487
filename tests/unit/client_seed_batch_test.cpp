#include "client/seed_batch.hpp"

#include "common/hasher.hpp"
#include "common/upload_batch.hpp"
#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::client;

namespace {

std::string artifact(std::string_view path, std::string_view bytes) {
  std::string text;
  append_digest_line(text, path, Hasher::of(bytes), bytes.size());
  return text.append(bytes);
}

PlannedFile planned(std::string name, std::uint64_t size) {
  PlannedFile file;
  file.file.path = name;
  file.file.state.size = size;
  file.names.push_back({std::move(name), true, false});
  return file;
}

Content content_of(std::string_view bytes) {
  return {bytes.size(), Hasher::of(bytes)};
}

}  // namespace

TEST_CASE("a seed's batch sends what the server misses, below a megabyte", "[client]") {
  PlannedFile file = planned("sub/a.tar.gz", 5);
  file.names.push_back({"a.tar.gz", true, false});
  file.names.push_back({"there/a.tar.gz", false, false});
  SeedBatch batch;
  CHECK(batch.is_empty());
  batch.add(file, content_of("bytes"), "bytes");
  REQUIRE(batch.items().size() == 2);
  CHECK(batch.items()[1].name == &file.names[1]);
  const Request request = batch.request("down loads", "nightly-7");
  CHECK(request.method == "POST");
  CHECK(request.target == "/-/v1/uploads?namespace=down%20loads");
  CHECK(request.headers ==
        std::vector<std::string>{"Content-Type: application/octet-stream", "Larder-Build: nightly-7"});
  CHECK(*request.text == artifact("sub/a.tar.gz", "bytes") + artifact("a.tar.gz", "bytes"));

  CHECK(SeedBatch::takes(planned("a", 64 << 10)));
  CHECK(!SeedBatch::takes(planned("a", (64 << 10) + 1)));
  batch.clear();
  const PlannedFile large = planned("large", SeedBatch::k_small);
  const std::string bytes(SeedBatch::k_small, 'x');
  while (batch.has_room_for(large)) batch.add(large, content_of(bytes), bytes);
  CHECK(batch.items().size() > 10);
  CHECK(batch.request("a", "").text->size() <= SeedBatch::k_most_bytes);
  batch.clear();
  const PlannedFile tiny = planned("t", 0);
  while (batch.has_room_for(tiny)) batch.add(tiny, content_of(""), "");
  CHECK(batch.items().size() == k_most_uploads);
}

TEST_CASE("a seed's batch takes an answer that fits it, and no other", "[client]") {
  const PlannedFile one = planned("one", 1);
  const PlannedFile two = planned("two", 1);
  SeedBatch batch;
  batch.add(one, content_of("1"), "1");
  batch.add(two, content_of("2"), "2");
  const std::string first = "{\"path\":\"one\",\"status\":201}\n";
  const std::string second = "{\"path\":\"two\",\"status\":507,\"detail\":\"full\"}\n";
  const auto answers = batch.answers(first + second);
  REQUIRE(answers);
  REQUIRE(answers->size() == 2);
  CHECK((*answers)[0].status() == 201);
  CHECK((*answers)[1].status() == 507);
  CHECK(batch.answers("{\"path\":\"\",\"status\":400}\n" + second));
  CHECK(describe_refusal((*answers)[1]) == "the server answered 507: full");

  for (const std::string& wrong :
       {std::string(), first, second + first, first + second + second,
        first + second.substr(0, second.size() - 1), first + "hello\n", first + "{\"path\":\"two\"}\n"}) {
    INFO(wrong);
    CHECK(!batch.answers(wrong));
  }
}
