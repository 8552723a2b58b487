#include "server/tls_keeper.hpp"

#include <fstream>

#include "server/logging.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/test_authority.hpp"

using namespace larder;

namespace {

constexpr UnixSeconds k_day = 24 * 3600;

struct Kept {
  TemporaryDirectory directory;
  TestAuthority authority{directory.path()};
  ManualClock clock;
  TestAuthority::Files files = authority.issue("server");
  LiveConfig config{configuration()};
  TlsKeeper keeper{config, clock, silent_logs().main};

  Config configuration() const {
    Config made;
    made.tls.certificates = {{files.certificate, files.key}};
    return made;
  }
};

}  // namespace

TEST_CASE("expiry is told from two weeks before on, once a day", "[tls]") {
  const UnixSeconds now = 1'800'000'000;
  CHECK_FALSE(expiry_warning(now, 0, 0));
  CHECK_FALSE(expiry_warning(now, now + 14 * k_day + 1, 0));
  CHECK(expiry_warning(now, now + 14 * k_day, 0).value().find("expires in 14 d") != std::string::npos);
  CHECK_FALSE(expiry_warning(now, now + k_day, now - k_day + 1));
  CHECK(expiry_warning(now, now + k_day, now - k_day));
  CHECK(expiry_warning(now, now - 5, 0).value().find("has expired") != std::string::npos);
}

TEST_CASE("new files are put in force, and nothing happens without", "[tls]") {
  Kept kept;
  REQUIRE(kept.keeper.load());
  const auto before = kept.keeper.http();
  REQUIRE(before);
  kept.keeper.look();
  CHECK(kept.keeper.http() == before);

  kept.authority.issue("server");
  kept.keeper.look();

  CHECK(kept.keeper.http() != before);
  CHECK(kept.keeper.ftp());
}

TEST_CASE("a new certificate without its key changes nothing, until the key is there, too", "[tls]") {
  Kept kept;
  REQUIRE(kept.keeper.load());
  const auto before = kept.keeper.http();
  const auto next = kept.authority.issue("next");

  std::filesystem::rename(next.certificate, kept.files.certificate);
  kept.keeper.look();
  CHECK(kept.keeper.http() == before);
  std::filesystem::rename(next.key, kept.files.key);
  kept.keeper.look();
  CHECK(kept.keeper.http() != before);
}

TEST_CASE("certificates that the configuration drops stay with the listeners that are open", "[tls]") {
  Kept kept;
  REQUIRE(kept.keeper.load());
  (void)kept.config.reload(Config());
  kept.keeper.reload();
  CHECK(kept.keeper.http());
}

TEST_CASE("the keys of session tickets last a day", "[tls]") {
  Kept kept;
  REQUIRE(kept.keeper.load());
  const auto before = kept.keeper.http();
  kept.clock.advance(k_day);
  kept.keeper.look();
  CHECK(kept.keeper.http() != before);
}

TEST_CASE("defects of certificates stand at the line that named the file", "[tls]") {
  ConfigResult result = parse_config(
      "http:\n  listen_tls: 127.0.0.1:0\ntls:\n  certificates:\n    - certificate: /nowhere/a.pem\n      "
      "key: "
      "/nowhere/a.key\n",
      "larderd.yaml");
  check_config(result);
  REQUIRE(result.defects.empty());
  check_tls_files(result, 0);
  REQUIRE(result.defects.size() == 2);
  CHECK(to_string(result.defects[0]) ==
        "larderd.yaml:5: tls.certificates[0].certificate: cannot read /nowhere/a.pem: No such file or "
        "directory");
  CHECK(result.defects[1].line == 6);
}
