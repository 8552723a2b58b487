#include "client/retry.hpp"

#include <vector>

#include "client/seed_upload.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace larder;
using namespace larder::client;
using std::chrono::milliseconds;

TEST_CASE("delays double, stay below five seconds and end with the patience", "[client][retry]") {
  Retry retry(milliseconds(20000));
  Retry::TimePoint now{};
  std::vector<long> delays;
  while (const auto delay = retry.next_delay(now)) {
    delays.push_back(delay->count());
    now += *delay;
  }
  CHECK(delays == std::vector<long>{200, 400, 800, 1600, 3200, 5000, 5000, 3800});
  CHECK(now == Retry::TimePoint{} + milliseconds(20000));
}

TEST_CASE("patience counts from the first failure, slow attempts included", "[client][retry]") {
  Retry retry(milliseconds(1000));
  const Retry::TimePoint start{};
  CHECK(retry.next_delay(start) == milliseconds(200));
  CHECK(retry.next_delay(start + milliseconds(999)) == milliseconds(1));
  CHECK_FALSE(retry.next_delay(start + milliseconds(1000)));
}

TEST_CASE("without patience nothing is tried twice", "[client][retry]") {
  CHECK_FALSE(Retry(milliseconds(0)).next_delay(Retry::TimePoint{}));
}

TEST_CASE("only trouble that passes is worth another try", "[client][retry]") {
  for (const int status : {429, 502, 503, 504}) CHECK(is_passing_status(status));
  for (const int status : {200, 201, 400, 401, 403, 404, 409, 412, 413, 422, 500, 507}) {
    CHECK_FALSE(is_passing_status(status));
  }
  CHECK(is_passing_error(Error(Errc::busy, "connection refused")));
  CHECK_FALSE(is_passing_error(Error(Errc::io, "certificate")));
  CHECK_FALSE(is_passing_error(Error(Errc::cancelled, "interrupted")));
}

TEST_CASE("each answer to an upload has its outcome", "[client][seed]") {
  const struct {
    int status;
    PutOutcome outcome;
  } cases[] = {
      {201, PutOutcome::stored},   {204, PutOutcome::stored},   {200, PutOutcome::same},
      {409, PutOutcome::conflict}, {422, PutOutcome::damaged},  {400, PutOutcome::rejected},
      {404, PutOutcome::rejected}, {412, PutOutcome::rejected}, {413, PutOutcome::rejected},
      {500, PutOutcome::rejected}, {401, PutOutcome::stop},     {403, PutOutcome::stop},
      {503, PutOutcome::stop},     {507, PutOutcome::stop},
  };
  for (const auto& each : cases) {
    INFO(each.status);
    CHECK(put_outcome(each.status, PlannedName{"a", true, false}) == each.outcome);
  }
}

// RFC 9110 (9.3.4) has no 201 for a name that held something before.
TEST_CASE("200 for a name that held other bytes means they were replaced", "[client][seed]") {
  CHECK(put_outcome(200, PlannedName{"git2_a.tar.gz", true, true}) == PutOutcome::stored);
  CHECK(put_outcome(409, PlannedName{"a.tar.zst", true, true}) == PutOutcome::conflict);
}

}  // namespace
