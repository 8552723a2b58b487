#include "common/glob.hpp"

#include <string>

#include "tests/support/catch.hpp"

using namespace larder;

TEST_CASE("patterns match as shells match them", "[glob]") {
  struct Row {
    const char* pattern;
    const char* name;
    bool matches;
  };
  const Row rows[] = {
      {"", "", true},           {"", "a", false},           {"a", "a", true},          {"a", "b", false},
      {"*", "", true},          {"*", "abc", true},         {"a*", "abc", true},       {"*c", "abc", true},
      {"a*c", "abc", true},     {"a*b", "abc", false},      {"?", "a", true},          {"?", "", false},
      {"a?c", "abc", true},     {"*.gz", "a.tar.gz", true}, {"*.gz", "a.gz.x", false}, {"**a**", "bab", true},
      {"*ab*ab", "abab", true}, {"*ab*ab*", "aab", false},  {"[a]", "a", false},       {"[a]", "[a]", true},
  };
  for (const Row& row : rows) {
    INFO(row.pattern << " " << row.name);
    CHECK(matches_glob(row.pattern, row.name) == row.matches);
  }
  CHECK(is_glob("a*"));
  CHECK_FALSE(is_glob("a+[b]"));
}

TEST_CASE("a pattern made to take for ever does not", "[glob]") {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  CHECK_FALSE(matches_glob(pattern + "b", std::string(3000, 'a')));  // hours, with backtracking
}
