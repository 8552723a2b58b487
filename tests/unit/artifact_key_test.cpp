#include "common/artifact_key.hpp"

#include <string>
#include <unordered_set>
#include <vector>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace std::string_literals;

TEST_CASE("a key is a namespace and a path", "[artifact_key]") {
  const auto key = ArtifactKey::make("sstate-cache", "universal/ab/cd/sstate:zlib.tar.zst");
  REQUIRE(key.ok());
  CHECK(key->name_space() == "sstate-cache");
  CHECK(key->path() == "universal/ab/cd/sstate:zlib.tar.zst");
  CHECK(key->file_name() == "sstate:zlib.tar.zst");
  CHECK(key->str() == "sstate-cache/universal/ab/cd/sstate:zlib.tar.zst");
  CHECK(ArtifactKey::make("n", "flat")->file_name() == "flat");
}

TEST_CASE("a key reads back from its text", "[artifact_key]") {
  const auto key = ArtifactKey::make("n", "a/b");
  CHECK(*ArtifactKey::parse(key->str()) == *key);
  for (const std::string_view text : {"", "n", "n/", "/a", "n//a", "N/a"}) {
    INFO(text);
    CHECK(ArtifactKey::parse(text).ok() == false);
  }
}

TEST_CASE("namespace names are short, plain and do not start with a mark", "[artifact_key]") {
  for (const std::string& name : {"a"s, "0"s, "sstate-cache"s, "a.b_c-9"s, std::string(64, 'n')}) {
    INFO(name);
    CHECK(is_namespace_name(name));
  }
  for (const std::string& name : {""s, "-"s, "@a"s, ".a"s, "_a"s, "-a"s, "A"s, "aB"s, "a/b"s, "a b"s, "a\0"s,
                                  "\xC3\xA4"s, std::string(65, 'n')}) {
    INFO(name);
    CHECK_FALSE(is_namespace_name(name));
    CHECK_FALSE(ArtifactKey::make(name, "a").ok());
  }
}

TEST_CASE("paths that every disk can hold and every listing can show are accepted", "[artifact_key]") {
  for (const std::string& path :
       {"a"s, "a/b/c"s, "..."s, ".a"s, "a."s, "..a"s, "a b"s, "a\\b"s, "sstate:a+b~c@d"s, "\xC3\xA4"s,
        "\xE2\x82\xAC"s, "\xF0\x9F\x98\x80"s, "\xED\x9F\xBF"s, "\xEE\x80\x80"s, "\xF4\x8F\xBF\xBF"s,
        "\xC2\xA0"s, std::string(255, 'x'), std::string(254, 'x') + "/" + std::string(255, 'y')}) {
    INFO(path);
    CHECK(path_defect(path) == "");
  }
}

TEST_CASE("paths that leave, lie or break a line are refused", "[artifact_key]") {
  for (const std::string& path : {""s,
                                  "/"s,
                                  "/a"s,
                                  "a/"s,
                                  "a//b"s,
                                  "."s,
                                  ".."s,
                                  "a/."s,
                                  "a/../b"s,
                                  "./a"s,
                                  "a\0b"s,
                                  "a\nb"s,
                                  "a\tb"s,
                                  "a\x7f"s,
                                  "a\x1f"s,
                                  "\xC2\x80"s,
                                  "\xC2\x9F"s,
                                  "\x80"s,
                                  "\xC3"s,
                                  "\xC3/"s,
                                  "\xC0\xAF"s,
                                  "\xC1\xBF"s,
                                  "\xE0\x9F\xBF"s,
                                  "\xED\xA0\x80"s,
                                  "\xEF\xBF"s,
                                  "\xF0\x8F\xBF\xBF"s,
                                  "\xF4\x90\x80\x80"s,
                                  "\xF5\x80\x80\x80"s,
                                  "\xFF"s,
                                  std::string(256, 'x'),
                                  "a/" + std::string(256, 'x')}) {
    INFO(path);
    CHECK(path_defect(path) != "");
    const auto key = ArtifactKey::make("n", path);
    REQUIRE_FALSE(key.ok());
    CHECK(key.error().code() == Errc::invalid_name);
  }
}

TEST_CASE("a path ends at 3072 bytes", "[artifact_key]") {
  std::string path(k_max_path, 'x');
  for (std::size_t i = 200; i < path.size(); i += 200) path[i] = '/';
  CHECK(path_defect(path) == "");
  CHECK(path_defect(path + "x") != "");
}

TEST_CASE("keys sort by their text and can be hashed", "[artifact_key]") {
  const auto a = *ArtifactKey::make("n", "a");
  const auto b = *ArtifactKey::make("n", "b");
  CHECK(a < b);
  std::unordered_set<ArtifactKey> set{a, b, a};
  CHECK(set.size() == 2);
}
