#include "common/rights.hpp"

#include "common/actor.hpp"
#include "tests/support/catch.hpp"

using namespace larder;

TEST_CASE("rights are read from words and written back", "[access]") {
  CHECK(to_string(*parse_rights("read,write")) == "read,write");
  CHECK(to_string(*parse_rights(" delete  admin,replace ")) == "replace,delete,admin");
  for (const char* text : {"", " ", ",", "Read", "reed", "read;write", "read,\n"}) {
    INFO(text);
    CHECK_FALSE(parse_rights(text));
  }
}

TEST_CASE("sets of namespaces hold what they say", "[access]") {
  CHECK(parse_namespaces("*")->is_all());
  CHECK(parse_namespaces("*")->has("anything"));
  const NamespaceSet two = *parse_namespaces("sstate-cache, downloads");
  CHECK(two.has("downloads"));
  CHECK_FALSE(two.has("sstate-pr"));
  CHECK(to_string(two) == "sstate-cache,downloads");
  for (const char* text : {"", "-", "@a", "a/b", "A", "a,*b"}) {
    INFO(text);
    CHECK_FALSE(parse_namespaces(text));
  }
  CHECK(NamespaceSet().empty());
}

TEST_CASE("a line of access.users grants what it says", "[access]") {
  const Grant anna = *parse_grant("anna = read write on sstate-cache");
  CHECK(anna.who == "anna");
  CHECK(to_string(anna.rights) == "read,write");
  CHECK(to_string(anna.where) == "sstate-cache");
  CHECK(parse_grant("others=read")->where.is_all());
  for (const char* text : {"", "anna", "= read", "anna =", "anna = eat", "a b = read", "anna = read on",
                           "anna = admin on sstate-cache", "anonymous = read", "an:na = read"}) {
    INFO(text);
    CHECK_FALSE(parse_grant(text));
  }
}

TEST_CASE("an actor is meant by all of it, its name or its address", "[access]") {
  CHECK(actor_text("", "192.0.2.7") == "192.0.2.7");
  const std::string actor = actor_text("ci-7", "192.0.2.7");
  CHECK(actor == "ci-7@192.0.2.7");
  for (const char* pattern : {"ci-7", "ci-*", "192.0.2.7", "192.0.*", "ci-7@192.0.2.7"}) {
    INFO(pattern);
    CHECK(means_actor(pattern, actor));
  }
  for (const char* pattern : {"ci", "ci-70", "192.0.2", "@", ""}) {
    INFO(pattern);
    CHECK_FALSE(means_actor(pattern, actor));
  }
  // Nobody becomes "ci" by connecting from somewhere.
  CHECK_FALSE(means_actor("ci-7", "192.0.2.7"));
}

TEST_CASE("a certificate whose name has an '@' does not pass for somebody else", "[access]") {
  const std::string disguised = actor_text("ci@10.0.0.1", "127.0.0.1");
  const std::string honest = actor_text("ci", "10.0.0.1");
  struct Case {
    const char* pattern;
    bool means_disguised;
    bool means_honest;
  };
  for (const Case& each :
       {Case{"ci@*", false, true}, Case{"ci@10.*", false, true}, Case{"ci", false, true},
        Case{"10.0.0.1", false, true}, Case{"*@10.0.0.1", false, true}, Case{"ci@10.0.0.1", false, true},
        Case{"ci@10.0.0.1@127.0.0.1", true, false}, Case{"ci@10.0.0.1@*", true, false},
        Case{"127.0.0.1", true, false}, Case{"*@127.0.0.1", true, false}, Case{"*@*", true, true},
        Case{"*", true, true}, Case{"ci*@*", true, true}, Case{"ci*", true, true}, Case{"@", false, false}}) {
    INFO(each.pattern);
    CHECK(means_actor(each.pattern, disguised) == each.means_disguised);
    CHECK(means_actor(each.pattern, honest) == each.means_honest);
  }
  CHECK_FALSE(means_actor("*@*", "192.0.2.7"));  // nobody in particular
  CHECK(means_actor("larderd*", "larderd adopt"));
}
