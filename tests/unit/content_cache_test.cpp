#include "server/store/content_cache.hpp"

#include "common/hasher.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_file_system.hpp"

using namespace larder;

namespace {

struct CacheBench {
  OpenArtifact open(const std::string& content) {
    const std::string path = "f" + std::to_string(++number);
    const auto created = disk.create(path);
    REQUIRE((*created)->append(std::as_bytes(std::span(content))));
    return again(path, content);
  }
  OpenArtifact again(const std::string& path, const std::string& content) {
    OpenArtifact artifact;
    artifact.entry.digest = Hasher::of(content);
    artifact.entry.size = content.size();
    artifact.file = std::move(*disk.open(path));
    last_path = path;
    return artifact;
  }
  Digest keep(const std::string& content) {
    OpenArtifact artifact = open(content);
    REQUIRE(cache.put(artifact, cache.moment(artifact.entry.digest), 100));
    return artifact.entry.digest;
  }
  bool has(const std::string& content, UnixSeconds now = 100) {
    OpenArtifact artifact;
    artifact.entry.digest = Hasher::of(content);
    artifact.entry.size = content.size();
    const bool found = cache.find(artifact, now);
    if (found && artifact.body) CHECK(*artifact.body == content);
    return found;
  }

  MemoryFileSystem disk;
  ContentCache cache{ContentCache::Limits{2 << 20, 64}};
  int number = 0;
  std::string last_path;
};

}  // namespace

TEST_CASE("small contents are kept as bytes, large ones open, and neither for ever", "[contents]") {
  CacheBench bench;
  const std::string small = "small";
  const std::string large(100 << 10, 'l');
  bench.keep(small);
  bench.keep(large);
  CHECK(bench.has(small));
  CHECK(bench.has(large));
  CHECK_FALSE(bench.has("other"));
  CHECK_FALSE(bench.has(small, 701));
  CHECK_FALSE(bench.has(large, 701));
}

TEST_CASE("an evicted content is not at hand, nor is one that was opened before the eviction", "[contents]") {
  CacheBench bench;
  const std::string content = "content";
  const Digest digest = bench.keep(content);
  bench.cache.evict(digest);
  CHECK_FALSE(bench.has(content));

  const auto before = bench.cache.moment(digest);
  OpenArtifact artifact = bench.open(content);
  bench.cache.evict(digest);
  REQUIRE(bench.cache.put(artifact, before, 100));
  CHECK_FALSE(bench.has(content));
}

TEST_CASE("a kept file whose length changed is not at hand", "[contents]") {
  CacheBench bench;
  const std::string large(100 << 10, 'l');
  bench.keep(large);
  REQUIRE(bench.has(large));
  const auto file = bench.disk.open(bench.last_path);
  REQUIRE((*file)->append(std::as_bytes(std::span("more", 4))));
  CHECK_FALSE(bench.has(large));
}

TEST_CASE("a cache of contents keeps to its limits, and what is asked for again", "[contents]") {
  CacheBench bench;
  const std::string favourite = "favourite" + std::string(20000, 'f');
  bench.keep(favourite);
  for (int i = 0; i < 2000; ++i) {
    bench.keep(std::to_string(i) + std::string(20000, 'x'));
    if (i % 20 == 0) REQUIRE(bench.has(favourite));
  }
  int kept = 0;
  for (int i = 0; i < 2000; ++i) kept += bench.has(std::to_string(i) + std::string(20000, 'x')) ? 1 : 0;
  CHECK(kept > 50);
  CHECK(kept < 110);
  CHECK(bench.has(favourite));
}
