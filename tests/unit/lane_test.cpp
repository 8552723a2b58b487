// Lanes: what is stored in one stays there, and nothing in it changes what it overlays.
#include <cerrno>
#include <map>

#include "server/store/layout.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

const std::string k_hash(64, 'a');
const std::string k_archive =
    "aa/aa/sstate:busybox:core2-64-poky-linux:1.0:r0:core2-64:14:" + k_hash + "_package.tar.zst";
const std::string k_growing = "git2_example.org.linux.tar.gz";

struct LaneBench : StoreBench {
  LaneBench() {
    (void)close();
    options.namespaces.resize(5);
    options.namespaces[3].name = "sstate-pr";
    options.namespaces[3].kind = NamespaceKind::sstate;
    options.namespaces[3].overlay = "sstate-cache";
    options.namespaces[4].name = "downloads-pr";
    options.namespaces[4].kind = NamespaceKind::downloads;
    options.namespaces[4].overlay = "downloads";
    if (!open()) throw std::runtime_error("cannot open the store");
  }

  api::PromoteEvent promote(const std::function<void(Store::PromoteOptions&)>& change = {}) {
    Store::PromoteOptions options;
    options.rules.lane = "sstate-pr";
    options.rules.apply = true;
    options.actor = "admin@127.0.0.1";
    if (change) change(options);
    outcomes.clear();
    reasons.clear();
    const auto report = [this](const api::PromoteEvent& event) {
      if (!event.path.empty()) outcomes[event.path] = event.outcome;
      if (!event.reason.empty()) reasons[event.path] = event.reason;
    };
    const auto sum = store->promote(options, report, {});
    if (!sum) throw std::runtime_error(sum.error().message());
    return *sum;
  }
  Receipt::Outcome outcome_of_put(const std::string& name, const std::string& content) {
    const auto receipt = put(name, content);
    REQUIRE(receipt);
    return receipt->outcome;
  }
  void put_as(const std::string& uploader, const std::string& build, const std::string& name,
              std::string_view content) {
    UploadRequest request;
    request.uploader = uploader;
    request.why = "build " + build;
    auto start = store->begin_upload(key(name), request);
    REQUIRE(start);
    REQUIRE(start->upload);
    REQUIRE(start->upload->append(std::as_bytes(std::span(content))));
    REQUIRE(start->upload->commit());
  }
  std::uint64_t charged(const std::string& name_space) const { return store->physical_bytes(name_space); }

  std::map<std::string, std::string> outcomes;
  std::map<std::string, std::string> reasons;
};

using Outcome = Receipt::Outcome;

}  // namespace

TEST_CASE("a name is not renamed into the lane above it, where it would be lost", "[lane][rename]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-cache/" + k_archive, "bytes"));
  REQUIRE(bench.put("sstate-cache/other", "bytes"));
  const auto up =
      bench.store->rename(bench.key("sstate-cache/" + k_archive), bench.key("sstate-pr/" + k_archive), "t");
  CHECK(up.error().code() == Errc::conflict);
  CHECK(bench.has("sstate-cache/" + k_archive));
  // Another name of the same bytes may go: the lane still shows them by the one below.
  REQUIRE(bench.store->rename(bench.key("sstate-cache/other"), bench.key("sstate-pr/" + k_archive), "t"));
  const auto shown = bench.get("sstate-cache/" + k_archive);
  REQUIRE(shown);
  CHECK(*shown == "bytes");
}

TEST_CASE("what a lane stores, the namespace below it does not have", "[lane]") {
  LaneBench bench;
  CHECK(bench.outcome_of_put("sstate-pr/" + k_archive, "new") == Outcome::created);
  CHECK(bench.has("sstate-pr/" + k_archive));
  CHECK_FALSE(bench.has("sstate-cache/" + k_archive));
}

TEST_CASE("bytes that are trusted already are not stored in a lane again", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-cache/" + k_archive, "trusted"));
  CHECK(bench.outcome_of_put("sstate-pr/" + k_archive, "trusted") == Outcome::present);
  CHECK_FALSE(bench.has("sstate-pr/" + k_archive));
  const auto declared = bench.put("sstate-pr/" + k_archive, "trusted", Hasher::of("trusted"));
  CHECK(declared->outcome == Outcome::present);
}

TEST_CASE("a lane cannot say something else under a trusted name", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-cache/" + k_archive, "trusted"));
  CHECK(bench.outcome_of_put("sstate-pr/" + k_archive, "other") == Outcome::conflict);
  CHECK(bench.put("sstate-pr/" + k_archive, "other", Hasher::of("other"))->outcome == Outcome::conflict);
  CHECK_FALSE(bench.has("sstate-pr/" + k_archive));
  CHECK(*bench.get("sstate-cache/" + k_archive) == "trusted");
}

TEST_CASE("create-only means the trusted name, too", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-cache/" + k_archive, "trusted"));
  UploadRequest request;
  request.create_only = true;
  const auto start = bench.store->begin_upload(bench.key("sstate-pr/" + k_archive), request);
  REQUIRE_FALSE(start);
  CHECK(start.error().code() == Errc::precondition);
}

TEST_CASE("a growing tarball may be ahead in a lane", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("downloads/" + k_growing, "old"));
  CHECK(bench.outcome_of_put("downloads-pr/" + k_growing, "old") == Outcome::present);
  CHECK(bench.outcome_of_put("downloads-pr/" + k_growing, "newer") == Outcome::created);
  CHECK(*bench.get("downloads-pr/" + k_growing) == "newer");
  CHECK(*bench.get("downloads/" + k_growing) == "old");
  const auto promote = [&](bool may_replace) {
    return bench.promote([&](Store::PromoteOptions& options) {
      options.rules.lane = "downloads-pr";
      options.may_replace = may_replace;
    });
  };
  CHECK(promote(false).conflicts == 1);
  CHECK(*bench.get("downloads/" + k_growing) == "old");
  CHECK(promote(true).promoted == 1);
  CHECK(*bench.get("downloads/" + k_growing) == "newer");
}

TEST_CASE("who may not replace meets a conflict that others could solve", "[lane][store]") {
  LaneBench bench;
  REQUIRE(bench.put("downloads/" + k_growing, "old"));
  UploadRequest request;
  request.may_replace = false;
  request.declared = Hasher::of("newer");
  const auto early = bench.store->begin_upload(bench.key("downloads/" + k_growing), request);
  REQUIRE(early->settled);
  CHECK(early->settled->outcome == Outcome::conflict);
  CHECK(early->settled->replaceable);
  request.declared.reset();
  auto late = bench.store->begin_upload(bench.key("downloads/" + k_growing), request);
  REQUIRE(late->upload);
  REQUIRE(late->upload->append(std::as_bytes(std::span(std::string_view("newer")))));
  const auto receipt = late->upload->commit();
  CHECK(receipt->outcome == Outcome::conflict);
  CHECK(receipt->replaceable);
  CHECK(*bench.get("downloads/" + k_growing) == "old");
  REQUIRE(bench.put("downloads/a.tar.gz", "a"));
  CHECK_FALSE(bench.put("downloads/a.tar.gz", "b")->replaceable);
}

TEST_CASE("promoting takes groups over as links, and leaves the lane as it is", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-pr/" + k_archive, "the archive"));
  REQUIRE(bench.put("sstate-pr/" + k_archive + ".siginfo", "its siginfo"));
  const std::uint64_t objects = bench.store->totals()->objects;
  const auto planned = bench.promote([](Store::PromoteOptions& options) {
    options.rules.apply = false;
    options.rules.list = true;
  });
  CHECK(planned.done);
  CHECK(planned.promoted == 2);
  CHECK(bench.outcomes.size() == 2);
  CHECK_FALSE(bench.has("sstate-cache/" + k_archive));

  const auto done = bench.promote();
  CHECK(done.promoted == 2);
  CHECK(done.name_space == "sstate-cache");
  CHECK(*bench.get("sstate-cache/" + k_archive) == "the archive");
  CHECK(*bench.get("sstate-cache/" + k_archive + ".siginfo") == "its siginfo");
  CHECK(bench.has("sstate-pr/" + k_archive));
  CHECK(bench.store->totals()->objects == objects);
  CHECK(bench.memory.links(layout::object_path(Hasher::of("the archive"), 0)) == 3);
  CHECK(bench.promote().present == 2);  // again changes nothing
}

TEST_CASE("what was promoted is counted for the trusted namespace, and outlives the lane", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-pr/" + k_archive, "the archive"));
  CHECK(bench.charged("sstate-pr") == 11);
  (void)bench.promote();
  CHECK(bench.charged("sstate-pr") == 0);
  CHECK(bench.charged("sstate-cache") == 11);
  REQUIRE(bench.remove("sstate-pr/" + k_archive));
  (void)bench.store->empty_trash({}, {});
  CHECK(*bench.get("sstate-cache/" + k_archive) == "the archive");
}

TEST_CASE("what the trusted namespace got by itself is not counted for the lane once promoted", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-pr/" + k_archive, "the archive"));
  REQUIRE(bench.put("sstate-cache/" + k_archive, "the archive"));
  CHECK(bench.charged("sstate-pr") == 11);
  CHECK(bench.promote([](Store::PromoteOptions& options) { options.rules.apply = false; }).present == 1);
  CHECK(bench.charged("sstate-pr") == 11);
  CHECK(bench.promote().present == 1);
  CHECK(bench.charged("sstate-pr") == 0);
  CHECK(bench.charged("sstate-cache") == 11);
}

TEST_CASE("a conflict holds its whole group back", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-pr/" + k_archive, "of the lane"));
  REQUIRE(bench.put("sstate-pr/" + k_archive + ".siginfo", "its siginfo"));
  REQUIRE(bench.put("sstate-cache/" + k_archive, "came meanwhile"));
  const auto sum = bench.promote();
  CHECK(sum.conflicts == 1);
  CHECK(sum.held == 1);
  CHECK(sum.promoted == 0);
  CHECK(bench.outcomes.at("sstate-pr/" + k_archive) == "conflict");
  CHECK(*bench.get("sstate-cache/" + k_archive) == "came meanwhile");
  CHECK_FALSE(bench.has("sstate-cache/" + k_archive + ".siginfo"));
}

TEST_CASE("a lane is in a snapshot that has only what it overlays", "[lane][snapshot]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-cache/" + k_archive, "the archive"));
  api::SnapshotRequest request;
  request.name = "r";
  REQUIRE(bench.store->create_snapshot(request, "x"));
  CHECK(bench.store->find_namespace("@r/sstate-pr") != nullptr);
  CHECK(bench.store->find_namespace("@r/downloads-pr") == nullptr);
}

TEST_CASE("promoting keeps who stored it, and tells who promoted it", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-pr/" + k_archive, "the archive"));  // by "test"
  (void)bench.promote();
  LedgerQuery query;
  query.action = LedgerAction::promote;
  const auto page = bench.store->ledger(query, bench.store->generation() + 1, 10);
  REQUIRE(page->lines.size() == 1);
  CHECK(page->lines[0].record.key == "sstate-cache/" + k_archive);
  CHECK(page->lines[0].record.actor == "admin@127.0.0.1");
  CHECK(page->lines[0].record.why == "from sstate-pr, stored there by test");
  api::PruneRules rules;
  rules.name_space = "sstate-cache";
  rules.uploaders = {"test"};
  CHECK(bench.store->prune(rules, {}, "x", {}, {})->by_reason.size() == 1);
}

TEST_CASE("only what is meant is promoted", "[lane]") {
  LaneBench bench;
  bench.clock.set(1000);
  REQUIRE(bench.put("sstate-pr/a", "a"));
  bench.clock.set(2000);
  UploadRequest request;
  request.uploader = "ci@192.0.2.7";
  request.why = "build 4711";
  auto start = bench.store->begin_upload(bench.key("sstate-pr/b"), request);
  REQUIRE(start->upload->append(std::as_bytes(std::span(std::string_view("b")))));
  REQUIRE(start->upload->commit());
  const auto promoted = [&](const std::function<void(api::PromoteRules&)>& change) {
    return bench
        .promote([&](Store::PromoteOptions& options) {
          options.rules.apply = false;
          change(options.rules);
        })
        .promoted;
  };
  CHECK(promoted([](api::PromoteRules&) {}) == 2);
  CHECK(promoted([](api::PromoteRules& rules) { rules.build = "4711"; }) == 1);
  CHECK(promoted([](api::PromoteRules& rules) { rules.build = "471"; }) == 0);
  CHECK(promoted([](api::PromoteRules& rules) { rules.uploaders = {"ci"}; }) == 1);
  CHECK(promoted([](api::PromoteRules& rules) { rules.since = 1500; }) == 1);
  CHECK(promoted([](api::PromoteRules& rules) { rules.match = {"a*"}; }) == 1);
  CHECK(promoted([](api::PromoteRules& rules) {
          rules.match = {"a*"};
          rules.build = "4711";
        }) == 0);
}

TEST_CASE("a group is not promoted for one member's uploader", "[lane]") {
  LaneBench bench;
  bench.put_as("eve@192.0.2.66", "1", "sstate-pr/" + k_archive, "eve's archive");
  bench.put_as("ci@192.0.2.7", "4711", "sstate-pr/" + k_archive + ".siginfo", "ci's siginfo");
  bench.put_as("ci@192.0.2.7", "4711", "sstate-pr/of-ci-alone", "ci's");
  bench.put_as("eve@192.0.2.66", "1", "sstate-pr/of-eve-alone", "eve's");
  const auto sum = bench.promote([](Store::PromoteOptions& options) { options.rules.uploaders = {"ci"}; });
  CHECK(sum.promoted == 1);
  CHECK(sum.held == 2);
  CHECK(sum.conflicts == 0);
  CHECK(bench.outcomes == std::map<std::string, std::string>{{"sstate-pr/" + k_archive, "held"}});
  CHECK(bench.reasons.at("sstate-pr/" + k_archive) == "was stored by eve@192.0.2.66, who was not asked for");
  CHECK(bench.has("sstate-cache/of-ci-alone"));
  for (const std::string& each : {k_archive, k_archive + ".siginfo", std::string("of-eve-alone")})
    CHECK_FALSE(bench.has("sstate-cache/" + each));
}

TEST_CASE("a group is not promoted for one member's build", "[lane]") {
  LaneBench bench;
  bench.put_as("ci@192.0.2.7", "4710", "sstate-pr/" + k_archive, "of a red build");
  bench.put_as("ci@192.0.2.7", "4711", "sstate-pr/" + k_archive + ".siginfo", "its siginfo");
  const auto sum = bench.promote([](Store::PromoteOptions& options) { options.rules.build = "4711"; });
  CHECK(sum.promoted == 0);
  CHECK(sum.held == 2);
  CHECK(bench.reasons.at("sstate-pr/" + k_archive) == "was not stored by build 4711");
}

TEST_CASE("a group is promoted when one member is all that was asked for", "[lane]") {
  LaneBench bench;
  bench.clock.set(1000);
  REQUIRE(bench.put("sstate-pr/" + k_archive, "of last week"));
  bench.clock.set(2000);
  REQUIRE(bench.put("sstate-pr/" + k_archive + ".sig", "a signature that came later"));
  const auto promoted = [&](const std::string& pattern) {
    return bench
        .promote([&](Store::PromoteOptions& options) {
          options.rules.match = {pattern};
          options.rules.since = 1500;
        })
        .promoted;
  };
  CHECK(promoted("*.zst") == 0);
  CHECK(promoted("*.sig") == 2);
}

TEST_CASE("who stored what is trusted already keeps nothing back", "[lane]") {
  LaneBench bench;
  bench.put_as("eve@192.0.2.66", "1", "sstate-pr/" + k_archive, "the archive");
  bench.put_as("ci@192.0.2.7", "4711", "sstate-pr/" + k_archive + ".siginfo", "its siginfo");
  REQUIRE(bench.put("sstate-cache/" + k_archive, "the archive"));
  const auto sum = bench.promote([](Store::PromoteOptions& options) {
    options.rules.uploaders = {"ci"};
    options.rules.build = "4711";
  });
  CHECK(sum.promoted == 1);
  CHECK(sum.present == 1);
  CHECK(sum.held == 0);
}

TEST_CASE("bytes that a build tried in vain to store elsewise are not promoted as its own", "[lane]") {
  LaneBench bench;
  bench.put_as("eve@192.0.2.66", "1", "sstate-pr/a", "eve's");
  bench.put_as("ci@192.0.2.7", "4711", "sstate-pr/a", "ci's");  // a conflict, which the ledger keeps
  const auto sum = bench.promote([](Store::PromoteOptions& options) { options.rules.build = "4711"; });
  CHECK(sum.promoted == 0);
  CHECK_FALSE(bench.has("sstate-cache/a"));
}

TEST_CASE("only a lane can be promoted", "[lane]") {
  LaneBench bench;
  Store::PromoteOptions options;
  options.rules.lane = "sstate-cache";
  CHECK(bench.store->promote(options, {}, {}).error().code() == Errc::invalid_argument);
  options.rules.lane = "nothing";
  CHECK(bench.store->promote(options, {}, {}).error().code() == Errc::not_found);
}

TEST_CASE("a prune of a lane leaves what it overlays alone", "[lane]") {
  LaneBench bench;
  REQUIRE(bench.put("sstate-cache/" + k_archive, "trusted"));
  REQUIRE(bench.put("sstate-pr/b", "b"));
  api::PruneRules rules;
  rules.name_space = "sstate-pr";
  rules.match = {"*"};
  rules.apply = true;
  CHECK(bench.store->prune(rules, {}, "x", {}, {})->removed.names == 1);
  CHECK(bench.has("sstate-cache/" + k_archive));
  CHECK_FALSE(bench.has("sstate-pr/b"));
}

TEST_CASE("a promotion that cannot be written leaves the trusted namespace as it was", "[lane][fault]") {
  for (int failing = 1; failing < 12; ++failing) {
    LaneBench bench;
    REQUIRE(bench.put("sstate-pr/" + k_archive, "the archive"));
    bench.disk.fail(static_cast<std::uint64_t>(failing), FaultyFileSystem::Mode::once, EIO);
    Store::PromoteOptions options;
    options.rules.lane = "sstate-pr";
    options.rules.apply = true;
    const auto sum = bench.store->promote(options, {}, {});
    bench.disk.heal();
    INFO(failing);
    CHECK(bench.has("sstate-cache/" + k_archive) == sum.ok());
    CHECK(*bench.get("sstate-pr/" + k_archive) == "the archive");
  }
}
