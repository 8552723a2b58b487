#include "client/seed_plan.hpp"

#include <string>
#include <vector>

#include "client/seed_questions.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::client;

const std::string k_archive = "aa/aa/sstate:zlib:x:1.3:r0:y:14:" + std::string(64, 'a') + "_package.tar.zst";

std::vector<FoundFile> found(const std::vector<std::string>& paths) {
  std::vector<FoundFile> files;
  for (const std::string& path : paths) files.push_back({path, {1, 0}});
  return files;
}

std::vector<std::string> names_of(const PlannedFile& file) {
  std::vector<std::string> names;
  for (const PlannedName& name : file.names) names.push_back(name.name);
  return names;
}

using Names = std::vector<std::string>;

TEST_CASE("an archive and its companions become one group, the archive first", "[client][seed_plan]") {
  const SeedPlan plan =
      plan_seed(NamespaceKind::sstate,
                found({k_archive + ".sig", k_archive + ".siginfo", k_archive, "aa/bb/other.siginfo"}));
  REQUIRE(plan.groups.size() == 2);
  const PlannedGroup& group = plan.groups[0];
  REQUIRE(group.files.size() == 3);
  CHECK(group.files[0].file.path == k_archive);
  CHECK(group.files[1].file.path == k_archive + ".siginfo");
  CHECK(group.files[2].file.path == k_archive + ".sig");
  CHECK(group.archive() == &group.files[0]);
}

TEST_CASE("a siginfo without an archive is a group without an archive", "[client][seed_plan]") {
  const SeedPlan plan = plan_seed(NamespaceKind::sstate, found({k_archive + ".siginfo"}));
  REQUIRE(plan.groups.size() == 1);
  CHECK(plan.groups[0].archive() == nullptr);
}

TEST_CASE("downloads of subdirectories get a bare name unless it is taken", "[client][seed_plan]") {
  const SeedPlan plan = plan_seed(NamespaceKind::downloads,
                                  found({"a/v1.tgz", "b/v1.tgz", "c/top.tgz", "npm2/x.tgz", "top.tgz"}));
  REQUIRE(plan.groups.size() == 5);
  CHECK(names_of(plan.groups[0].files[0]) == Names{"a/v1.tgz", "v1.tgz"});
  CHECK(names_of(plan.groups[1].files[0]) == Names{"b/v1.tgz"});
  CHECK(names_of(plan.groups[2].files[0]) == Names{"c/top.tgz"});  // the file at the top has it
  CHECK(names_of(plan.groups[3].files[0]) == Names{"npm2/x.tgz", "x.tgz"});
  CHECK(names_of(plan.groups[4].files[0]) == Names{"top.tgz"});
  REQUIRE(plan.clashes.size() == 2);
  CHECK(plan.clashes[0].name == "v1.tgz");
  CHECK(plan.clashes[0].path == "b/v1.tgz");
  CHECK(plan.clashes[1].path == "c/top.tgz");
}

TEST_CASE("every name of a plan is asked for once, in its order", "[client][seed_plan]") {
  SeedPlan plan = plan_seed(NamespaceKind::downloads, found({"npm2/x.tgz", "y.tgz"}));
  const auto refs = all_names(plan);
  REQUIRE(refs.size() == 3);
  CHECK(name_at(plan, refs[0]).name == "npm2/x.tgz");
  CHECK(name_at(plan, refs[1]).name == "x.tgz");
  CHECK(name_at(plan, refs[2]).name == "y.tgz");
  CHECK_FALSE(plan.groups[0].is_missing());
  name_at(plan, refs[1]).missing = true;
  CHECK(plan.groups[0].is_missing());
  CHECK(plan.groups[0].files[0].is_missing());
  CHECK_FALSE(plan.groups[1].is_missing());
}

TEST_CASE("questions are lines, with a digest where bytes are compared", "[client][seed_plan]") {
  CHECK(question("a/b+c") == "a/b+c\n");
  CHECK(question("a", Digest()) == "a\t" + std::string(64, '0') + "\n");
}

TEST_CASE("answers are read with or without digests and line ends", "[client][seed_plan]") {
  CHECK(missing_names("").empty());
  CHECK(missing_names("\n\n").empty());
  CHECK(missing_names("a\nb") == Names{"a", "b"});
  CHECK(missing_names("a\r\nb b\t0f\n") == Names{"a", "b b"});
}

TEST_CASE("a large request is sent as gzip", "[client][seed_plan]") {
  const std::string text(200'000, 'x');
  const std::string small = gzipped(text);
  CHECK(small.size() < 2000);
  CHECK(small.substr(0, 2) == "\x1F\x8B");
}

}  // namespace
