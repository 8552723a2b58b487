#include "client/seed_summary.hpp"

#include <boost/json.hpp>
#include <string>

#include "common/units.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::client;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

SeedSummary good() {
  SeedSummary summary;
  summary.server = "http://cache:8480";
  summary.name_space = "sstate-cache";
  summary.sent = 12345;
  summary.sent_bytes = 1 << 20;
  summary.present = 7;
  summary.left_out = {{"a.lock", SkipReason::lock}, {"b.lock", SkipReason::lock}, {"c", SkipReason::symlink}};
  summary.duration = std::chrono::seconds(2);
  return summary;
}

TEST_CASE("the exit code of a seed tells complete from incomplete, stopped and interrupted",
          "[client][seed_summary]") {
  CHECK(good().exit_code() == ExitCode::well);  // what is left out by the rules is no defect
  for (auto list : {&SeedSummary::conflicts, &SeedSummary::corrupt, &SeedSummary::held_back,
                    &SeedSummary::changed, &SeedSummary::failed}) {
    SeedSummary summary = good();
    (summary.*list).push_back({"a", "why", "", ""});
    CHECK(summary.exit_code() == ExitCode::incomplete);
    summary.stopped = "the disk is full";
    CHECK(summary.exit_code() == ExitCode::server);
    summary.interrupted = true;
    CHECK(summary.exit_code() == ExitCode::interrupted);
  }
  SeedSummary clash = good();
  clash.clashes.push_back({"b/v1.tgz", "", "", ""});
  CHECK(clash.exit_code() == ExitCode::well);
}

TEST_CASE("a good summary counts what was done and why the rest was not", "[client][seed_summary]") {
  const std::string text = summary_text(good(), Detail::counts);
  CHECK_THAT(text, StartsWith("http://cache:8480/sstate-cache/ is complete\n"));
  CHECK_THAT(text, Contains("sent      12,345 (" + human_size(1 << 20) + ")"));
  CHECK_THAT(text, Contains("present   7\n"));
  CHECK_THAT(text, Contains("left out  3\n"));
  CHECK_THAT(text, Contains("1 symlink: "));
  CHECK_THAT(text, Contains("2 lock: "));
  CHECK_THAT(text, !Contains("a.lock"));
  CHECK_THAT(text, !Contains("not sent"));
  CHECK_THAT(summary_text(good(), Detail::names), Contains("a.lock\n") && Contains("b.lock\n"));
}

TEST_CASE("the first line of a summary says how it went", "[client][seed_summary]") {
  const auto first_line = [](const SeedSummary& summary) {
    const std::string text = summary_text(summary, Detail::counts);
    return text.substr(0, text.find('\n'));
  };
  SeedSummary summary = good();
  summary.sent = 0;
  CHECK_THAT(first_line(summary), Contains("up to date, nothing to send"));
  summary.dry_run = true;
  CHECK_THAT(first_line(summary), Contains("dry run, nothing was sent"));
  summary.dry_run = false;
  summary.corrupt.push_back({"x", "", "", ""});
  CHECK_THAT(first_line(summary), Contains("is incomplete"));
  summary.interrupted = true;
  CHECK_THAT(first_line(summary), Contains("interrupted"));
  summary.stopped = "the disk is full";
  CHECK_THAT(first_line(summary), Contains("stopped: the disk is full"));
}

TEST_CASE("a conflict is listed with its name and both digests", "[client][seed_summary]") {
  SeedSummary summary = good();
  summary.conflicts.push_back({"aa/x.tar.zst", "", std::string(64, '1'), std::string(64, '2')});
  const std::string text = summary_text(summary, Detail::counts);
  CHECK_THAT(text, Contains("aa/x.tar.zst\n") && Contains("server: " + std::string(64, '1')) &&
                       Contains("here:   " + std::string(64, '2')));
}

TEST_CASE("the JSON of a summary has every count and every list", "[client][seed_summary]") {
  SeedSummary summary = good();
  summary.failed.push_back({"a\"b", "why", "", ""});
  const auto value = boost::json::parse(summary_json(summary, Detail::names));
  CHECK(value.at("server").as_string() == "http://cache:8480");
  CHECK(value.at("namespace").as_string() == "sstate-cache");
  CHECK(value.at("sent").to_number<int>() == 12345);
  CHECK(value.at("sent_bytes").to_number<int>() == 1 << 20);
  CHECK(value.at("present").to_number<int>() == 7);
  CHECK(value.at("skipped").to_number<int>() == 3);
  CHECK(value.at("skipped_by_reason").at("lock").to_number<int>() == 2);
  CHECK(value.at("skipped_by_reason").at("symlink").to_number<int>() == 1);
  CHECK(value.at("skipped_names").as_array().size() == 3);
  CHECK(value.at("seconds").to_number<double>() == 2.0);
  CHECK(value.at("failed").as_array().at(0).at("path").as_string() == "a\"b");
  for (const char* list : {"conflicts", "corrupt", "held_back", "changed", "bare_name_clashes"}) {
    CHECK(value.at(list).as_array().empty());
  }
  const auto brief = boost::json::parse(summary_json(summary, Detail::counts));
  CHECK_FALSE(brief.as_object().contains("skipped_names"));
}

}  // namespace
