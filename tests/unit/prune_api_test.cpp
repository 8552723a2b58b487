#include "common/prune_api.hpp"

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::api;

TEST_CASE("prune rules survive the wire", "[prune]") {
  PruneRules rules;
  CHECK(*prune_rules_from_json(to_json(rules)) == rules);
  rules.name_space = "sstate-cache";
  rules.unused_for = 30;
  rules.older_than = 0;
  rules.newest = 2;
  rules.max_size = 18'446'744'073'709'551'615U;
  rules.match = {"*a*", "b"};
  rules.recipes = {"r"};
  rules.architectures = {"x"};
  rules.tasks = {"t"};
  rules.versions = {"14"};
  rules.uploaders = {"ci"};
  rules.uploaded_since = 5;
  rules.keep_hashes = {"h"};
  rules.keep_names = {"n"};
  rules.not_in_snapshot = rules.keep_siginfo = rules.ignore_lease = rules.apply = rules.list = true;
  rules.rate = 7;
  rules.why = "because";
  CHECK(*prune_rules_from_json(to_json(rules)) == rules);
}

TEST_CASE("rules that are not understood are refused, never left out", "[prune]") {
  for (const char* text :
       {"", "[]", "{", R"({"unused-for": 1})", R"({"unused_for": "30d"})", R"({"unused_for": -1})",
        R"({"unused_for": 1.5})", R"({"match": "*"})", R"({"match": [1]})", R"({"newest": -1})",
        R"({"apply": 1})", R"({"apply": null})", R"({"max_size": 18446744073709551616})"}) {
    INFO(text);
    CHECK(prune_rules_from_json(text).error().code() == Errc::invalid_argument);
  }
}

TEST_CASE("rules that choose nothing are told from those that do", "[prune]") {
  PruneRules rules;
  rules.name_space = "sstate-cache";
  rules.apply = rules.keep_siginfo = rules.ignore_lease = true;
  CHECK_FALSE(selects_something(rules));
  rules.newest = 0;
  CHECK(selects_something(rules));
}

TEST_CASE("prune events survive the wire", "[prune]") {
  PruneEvent event;
  event.by_reason["unused"] = {1, 2, 3, 4};
  event.kept["pinned"] = 5;
  event.considered = 6;
  event.removed = {7, 8, 9, 10};
  event.changed = 11;
  event.generation = 12;
  event.done = true;
  const auto read = prune_event_from_json(to_json(event));
  REQUIRE(read);
  CHECK(read->by_reason == event.by_reason);
  CHECK(read->kept == event.kept);
  CHECK(read->considered == 6);
  CHECK(read->removed == event.removed);
  CHECK(read->changed == 11);
  CHECK(read->generation == 12);
  CHECK(read->done);
  PruneEvent name;
  name.path = "a/b";
  name.reason = "old";
  name.size = 3;
  name.last_use = 4;
  CHECK(prune_event_from_json(to_json(name))->path == "a/b");
  CHECK(prune_event_from_json(to_json(name))->last_use == 4);
}
