#include "server/access/authorizer.hpp"

#include <crypt.h>

#include <fstream>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;

namespace {

using Kind = Authorizer::Recognition::Kind;

struct Fixture {
  Fixture() { config.data = directory.path(); }
  Authorizer& access() {
    if (!made)
      made = std::make_unique<Authorizer>(config, clock,
                                          [this](const std::string& text) { told.push_back(text); });
    return *made;
  }
  TokenRecord wanted(const char* name, std::initializer_list<Right> rights = {Right::write}) {
    TokenRecord record;
    record.name = name;
    record.rights = rights;
    record.where = NamespaceSet::all();
    record.created_by = "test";
    return record;
  }
  void write(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::trunc) << text;
  }
  Authorizer::Recognition show(const std::string& user, const std::string& secret) {
    return access().recognise(Credentials(user, secret), Origin::elsewhere);
  }

  TemporaryDirectory directory;
  ManualClock clock;
  Config config;
  std::vector<std::string> told;
  std::unique_ptr<Authorizer> made;
};

std::string bcrypt(const std::string& password) {
  crypt_data work{};
  return ::crypt_r(password.c_str(), "$2y$04$abcdefghijklmnopqrstuu", &work);
}

}  // namespace

TEST_CASE("a token made is known at once, and a revoked one no more", "[access]") {
  Fixture fixture;
  Authorizer& access = fixture.access();
  CHECK_FALSE(access.knows_anybody());
  const std::uint64_t before = access.version();
  const auto made = access.create_token(fixture.wanted("ci"));
  REQUIRE(made);
  CHECK(access.knows_anybody());
  CHECK(access.version() != before);
  const auto found = fixture.show("", made->text);
  REQUIRE(found.kind == Kind::known);
  CHECK(found.identity->name == "ci");
  CHECK(found.identity->may.may(Right::write, "sstate-cache"));
  CHECK(found.identity->may.may(Right::read, "sstate-cache"));  // as everybody
  CHECK_FALSE(found.identity->may.may(Right::remove, "sstate-cache"));
  CHECK(fixture.show("whoever", made->text).kind == Kind::known);
  CHECK(access.tokens().at(0).last_used == fixture.clock.now());

  std::string other = made->text;
  other.back() = other.back() == '0' ? '1' : '0';
  CHECK(fixture.show("", other).kind == Kind::unknown);
  CHECK(fixture.show("ci", "").kind == Kind::unknown);

  const std::uint64_t known = access.version();
  REQUIRE(access.revoke_token("ci"));
  CHECK(access.version() != known);
  CHECK(fixture.show("", made->text).kind == Kind::unknown);
  CHECK(access.knows_anybody());  // what was shown to somebody once stays wrong, not meaningless
}

TEST_CASE("a token expires to the second", "[access]") {
  Fixture fixture;
  TokenRecord wanted = fixture.wanted("ci");
  wanted.expires = fixture.clock.now() + 10;
  const auto made = fixture.access().create_token(wanted);
  fixture.clock.advance(9);
  CHECK(fixture.show("", made->text).kind == Kind::known);
  fixture.clock.advance(1);
  CHECK(fixture.show("", made->text).kind == Kind::unknown);
}

TEST_CASE("a token made by another process is noticed", "[access]") {
  Fixture fixture;
  Authorizer& access = fixture.access();
  const auto made = add_token(TokenFile(Authorizer::tokens_file(fixture.config)), fixture.wanted("first"), 1);
  REQUIRE(made);
  CHECK(fixture.show("", made->text).kind == Kind::unknown);
  access.refresh();
  CHECK(fixture.show("", made->text).kind == Kind::known);
}

TEST_CASE("a token just revoked does not come back while its file is being read", "[access]") {
  Fixture fixture;
  Authorizer& access = fixture.access();
  const TokenFile file(Authorizer::tokens_file(fixture.config));
  for (int i = 0; i < 100; ++i)  // so that reading takes a while
    REQUIRE(add_token(file, fixture.wanted(("token" + std::to_string(i)).c_str()), 1));
  for (int round = 0; round < 30; ++round) {
    const auto made =
        add_token(file, fixture.wanted("ci"), 1);  // by another process: there is something to read
    REQUIRE(made);
    std::vector<std::jthread> readers;
    for (int i = 0; i < 4; ++i) readers.emplace_back([&] { access.refresh(); });
    REQUIRE(access.revoke_token("ci"));
    readers.clear();
    CHECK(fixture.show("", made->text).kind == Kind::unknown);
  }
}

TEST_CASE("a token file that gets damaged is told of once, and what was known stays", "[access]") {
  Fixture fixture;
  Authorizer& access = fixture.access();
  const auto made = access.create_token(fixture.wanted("ci"));
  fixture.write(Authorizer::tokens_file(fixture.config), "larder-tokens 1\nrubbish\nend 1\n");
  access.refresh();
  access.refresh();
  REQUIRE(fixture.told.size() == 1);
  CHECK(fixture.told[0].find("line 2") != std::string::npos);
  CHECK(fixture.show("", made->text).kind == Kind::known);
  CHECK(access.create_token(fixture.wanted("another")).error().code() == Errc::corrupt);
}

TEST_CASE("a daemon starts with a damaged token file, and takes no token", "[access]") {
  Fixture fixture;
  fixture.write(Authorizer::tokens_file(fixture.config), std::string(100, '\0'));
  CHECK(fixture.access().knows_anybody());
  CHECK(fixture.told.size() == 1);
  CHECK(fixture.show("", make_token().text).kind == Kind::unknown);
}

TEST_CASE("a password is asked for once a minute", "[access]") {
  Fixture fixture;
  fixture.config.access.htpasswd = (fixture.directory.path() / "htpasswd").string();
  fixture.config.access.users = {"others = read", "anna = write on downloads"};
  fixture.write(fixture.config.access.htpasswd, "anna:" + bcrypt("horse") + "\n");
  Authorizer& access = fixture.access();
  CHECK(access.knows_anybody());
  const Credentials right("anna", "horse");
  CHECK(fixture.show("anna", "horse").kind == Kind::ask);
  CHECK_FALSE(access.check_password(Credentials("anna", "house"), Origin::elsewhere));
  CHECK_FALSE(access.check_password(Credentials("bob", "horse"), Origin::elsewhere));
  const IdentityPtr anna = access.check_password(right, Origin::elsewhere);
  REQUIRE(anna);
  CHECK(anna->name == "anna");
  CHECK(anna->may.may(Right::write, "downloads"));
  CHECK_FALSE(anna->may.may(Right::write, "sstate-cache"));
  CHECK(fixture.show("anna", "horse").kind == Kind::known);
  CHECK(fixture.show("anna", "house").kind == Kind::ask);
  CHECK(fixture.show("anna", std::string(8192, 'x')).kind == Kind::unknown);

  fixture.write(fixture.config.access.htpasswd, "anna:" + bcrypt("another") + "\n");
  access.refresh();
  CHECK(fixture.show("anna", "horse").kind == Kind::ask);  // what was verified before counts no more
  CHECK_FALSE(access.check_password(right, Origin::elsewhere));
}

TEST_CASE("a password file with a weak hash is told of, and the old one stays", "[access]") {
  Fixture fixture;
  fixture.config.access.htpasswd = (fixture.directory.path() / "htpasswd").string();
  fixture.write(fixture.config.access.htpasswd, "anna:" + bcrypt("horse") + "\n");
  Authorizer& access = fixture.access();
  fixture.write(fixture.config.access.htpasswd, "anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n");
  access.refresh();
  REQUIRE(fixture.told.size() == 1);
  CHECK(fixture.told[0].find("SHA-1") != std::string::npos);
  CHECK(fixture.told[0].find("W6ph5") == std::string::npos);
  CHECK(access.check_password(Credentials("anna", "horse"), Origin::elsewhere));
}

TEST_CASE("another configuration changes what everybody may", "[access]") {
  Fixture fixture;
  Authorizer& access = fixture.access();
  CHECK(access.anonymous(Origin::loopback)->may.may(Right::write, "downloads"));
  CHECK_FALSE(access.anonymous(Origin::elsewhere)->may.may(Right::write, "downloads"));
  const std::uint64_t before = access.version();
  fixture.config.access.anonymous.read = {"none"};
  access.configure(fixture.config);
  CHECK(access.version() != before);
  CHECK_FALSE(access.anonymous(Origin::elsewhere)->may.may(Right::read, "downloads"));
}

TEST_CASE("failures are counted, and the log hears of fewer and fewer, without a secret", "[access]") {
  Fixture fixture;
  for (int i = 0; i < 100; ++i)
    (void)fixture.access().failed("192.0.2.7", "hunter2-user", "hunter2-" + std::to_string(i));
  CHECK(fixture.access().failures() == 100);
  CHECK(fixture.told.size() == 7);  // 1, 2, 4 … 64
  for (const std::string& each : fixture.told) CHECK(each.find("hunter2") == std::string::npos);
}

TEST_CASE("only a few passwords are checked at a time", "[access]") {
  Fixture fixture;
  Authorizer& access = fixture.access();
  auto first = access.queue_check("192.0.2.7");
  auto second = access.queue_check("192.0.2.8");
  auto third = access.queue_check("192.0.2.9");
  REQUIRE((first && second && third));
  CHECK(first->enter());
  CHECK(second->enter());
  CHECK_FALSE(third->enter());
  first.reset();
  CHECK(third->enter());
}

TEST_CASE("only a few passwords of one address wait for their check", "[access]") {
  Fixture fixture;
  std::vector<Authorizer::Turn> waiting;
  for (int i = 0; i < 16; ++i) {
    auto turn = fixture.access().queue_check("192.0.2.7");
    REQUIRE(turn);
    waiting.push_back(std::move(*turn));
  }
  CHECK_FALSE(fixture.access().queue_check("192.0.2.7"));
  CHECK(fixture.access().queue_check("192.0.2.8"));
  waiting.pop_back();
  CHECK(fixture.access().queue_check("192.0.2.7"));
}
