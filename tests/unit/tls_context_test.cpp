#include "server/runtime/tls_context.hpp"

#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "tests/support/catch.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/test_authority.hpp"

using namespace larder;

namespace {

constexpr UnixSeconds k_day = 24 * 3600;

struct Desk {
  TemporaryDirectory directory;
  TestAuthority authority{directory.path()};
  TlsOptions options;

  std::string file(const std::string& name, const std::string& content) const {
    const std::string path = (directory.path() / name).string();
    std::ofstream(path) << content;
    ::chmod(path.c_str(), 0600);
    return path;
  }
  void take(const TestAuthority::Files& files) {
    options.certificates.push_back({files.certificate, files.key});
  }
  TlsLoad load() const { return load_tls(options, SystemClock().now(), std::make_shared<TlsFigures>()); }
  // The only defect; "" when there is none.
  std::string defect() const {
    const TlsLoad loaded = load();
    CHECK(loaded.defects.empty() == (loaded.context != nullptr));
    REQUIRE(loaded.defects.size() <= 1);
    return loaded.defects.empty() ? "" : loaded.defects.front().message;
  }
};

std::string content_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("certificates of two kinds of key are loaded, and the first end counts", "[tls]") {
  Desk desk;
  TestAuthority::Wish rsa;
  rsa.key = TestAuthority::Key::rsa;
  rsa.ends = 30 * k_day;
  desk.take(desk.authority.issue("ecdsa"));
  desk.take(desk.authority.issue("rsa", rsa));

  const TlsLoad loaded = desk.load();

  REQUIRE(loaded.context);
  CHECK(loaded.warnings.empty());
  const UnixSeconds left = loaded.context->expires() - SystemClock().now();
  CHECK(left <= 30 * k_day);
  CHECK(left > 29 * k_day);
}

TEST_CASE("one file may hold the chain and the key", "[tls]") {
  Desk desk;
  const auto files = desk.authority.issue("server");
  const std::string all = desk.file("all.pem", content_of(files.key) + content_of(files.certificate) +
                                                   content_of(desk.authority.certificate()));
  desk.take({all, all});
  CHECK(desk.defect().empty());
}

TEST_CASE("a key that belongs to another certificate is told with both files", "[tls]") {
  Desk desk;
  const auto one = desk.authority.issue("one");
  const auto other = desk.authority.issue("other");
  desk.take({one.certificate, other.key});
  CHECK(desk.defect() == other.key + " is not the key of the certificate in " + one.certificate +
                             "; one of the two is of another pair");
}

TEST_CASE("a chain that begins with the authority is told so", "[tls]") {
  Desk desk;
  const auto files = desk.authority.issue("server");
  const std::string chain =
      desk.file("chain.pem", content_of(desk.authority.certificate()) + content_of(files.certificate));
  desk.take({chain, files.key});
  CHECK(contains(desk.defect(), "does not begin with the server's own certificate"));
}

TEST_CASE("an encrypted key is refused, with the way to take the passphrase off", "[tls]") {
  Desk desk;
  const auto files = desk.authority.issue("server");
  const std::string locked = (desk.directory.path() / "locked.key").string();
  write_encrypted_key(files.key, locked);
  desk.take({files.certificate, locked});
  CHECK(contains(desk.defect(), locked + " is encrypted"));
  CHECK(contains(desk.defect(), "openssl pkey -in " + locked));
}

TEST_CASE("files that are missing, empty, swapped or damaged are told by name", "[tls]") {
  Desk desk;
  const auto files = desk.authority.issue("server");
  const std::string certificate = content_of(files.certificate);
  const struct {
    std::string certificate, key, part;
  } cases[] = {
      {"/nowhere/cert.pem", files.key, "cannot read /nowhere/cert.pem: No such file or directory"},
      {files.certificate, "/nowhere/key.pem", "cannot read /nowhere/key.pem: No such file or directory"},
      {desk.file("empty", ""), files.key, "empty holds no certificate"},
      {files.key, files.key, "server.key holds no certificate"},
      {files.certificate, files.certificate, "server.pem holds no private key"},
      {desk.file("cut", certificate.substr(0, certificate.size() / 2)), files.key, "cut is damaged"},
  };
  for (const auto& each : cases) {
    INFO(each.part);
    desk.options.certificates = {{each.certificate, each.key}};
    CHECK(contains(desk.defect(), each.part));
  }
}

TEST_CASE("two certificates for one kind of key are refused: one would never be shown", "[tls]") {
  Desk desk;
  desk.take(desk.authority.issue("one"));
  desk.take(desk.authority.issue("two"));
  CHECK(contains(desk.defect(), "two.pem is for the same kind of key as"));
}

TEST_CASE("an expired certificate, one of tomorrow and an open key are warnings", "[tls]") {
  Desk desk;
  TestAuthority::Wish wish;
  wish.ends = -60;
  const auto old = desk.authority.issue("old", wish);
  ::chmod(old.key.c_str(), 0644);
  desk.take(old);
  TestAuthority::Wish rsa;
  rsa.key = TestAuthority::Key::rsa;
  rsa.begins = k_day;
  desk.take(desk.authority.issue("early", rsa));

  const TlsLoad loaded = desk.load();

  REQUIRE(loaded.context);
  REQUIRE(loaded.warnings.size() == 3);
  CHECK(contains(loaded.warnings[0].message, "old.key can be read by everybody"));
  CHECK(loaded.warnings[0].about == TlsFinding::About::key);
  CHECK(contains(loaded.warnings[1].message, "old.pem has expired"));
  CHECK(contains(loaded.warnings[2].message, "early.pem is not valid yet"));
  CHECK(loaded.warnings[2].index == 1);
}

TEST_CASE("clients are asked for certificates only with authorities that can be read", "[tls]") {
  Desk desk;
  desk.take(desk.authority.issue("server"));
  desk.options.client_certificates = TlsOptions::ClientCertificates::required;
  desk.options.client_ca = desk.authority.certificate();
  CHECK(desk.defect().empty());
  desk.options.client_ca = "/nowhere/ca.pem";
  CHECK(contains(desk.defect(), "cannot read /nowhere/ca.pem"));
}

TEST_CASE("a data connection can resume what began days ago", "[tls]") {
  Desk desk;
  desk.take(desk.authority.issue("server"));
  desk.options.protocol = TlsOptions::Protocol::ftp;
  const TlsLoad loaded = desk.load();
  REQUIRE(loaded.context);
  CHECK(SSL_CTX_get_timeout(loaded.context->handle()) == 7 * k_day);
}
