#include "server/access/token.hpp"

#include <sys/stat.h>

#include <fstream>

#include "common/hasher.hpp"
#include "server/access/authorizer.hpp"
#include "server/access/token_file.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;

namespace {

TokenRecord record(std::string name) {
  const NewToken made = make_token();
  TokenRecord record;
  record.id = made.id;
  record.hash = made.hash;
  record.name = std::move(name);
  record.rights = {Right::read, Right::write};
  record.where = *parse_namespaces("sstate-cache");
  record.created = 1'700'000'000;
  record.created_by = "127.0.0.1";
  return record;
}

}  // namespace

TEST_CASE("a token is found by its id and known by its hash", "[access]") {
  const NewToken one = make_token();
  const NewToken other = make_token();
  CHECK(one.text.starts_with("larder_"));
  CHECK(one.text.size() == 84);
  CHECK(one.text != other.text);
  CHECK(token_id(one.text) == one.id);
  TokenRecord of_one = record("ci");
  of_one.hash = one.hash;
  CHECK(is_token_of(of_one, one.text));
  CHECK_FALSE(is_token_of(of_one, other.text));
  CHECK_FALSE(is_token_of(of_one, ""));
}

TEST_CASE("what has not the form of a token has no id", "[access]") {
  const std::string good = make_token().text;
  CHECK_FALSE(token_id(""));
  CHECK_FALSE(token_id(good.substr(1)));
  CHECK_FALSE(token_id(good + "0"));
  CHECK_FALSE(token_id(std::string(good).replace(10, 1, "G")));
  CHECK_FALSE(token_id(std::string(good).replace(19, 1, "-")));
  CHECK_FALSE(token_id(std::string(good).replace(83, 1, std::string(1, '\0'))));
  CHECK_FALSE(token_id(std::string(8192, 'a')));
}

TEST_CASE("a token file is read as it was written", "[access]") {
  CHECK(encode_tokens({}) == "larder-tokens 1\nend 0\n");
  TokenRecord second = record("anna.k");
  second.where = NamespaceSet::all();
  second.expires = 1'800'000'000;
  second.created_by = "a man with\nblanks";
  const TokenRecords records = {record("ci"), second};
  const auto again = decode_tokens(encode_tokens(records));
  REQUIRE(again);
  CHECK((*again)[0] == records[0]);
  CHECK((*again)[1].created_by == "a_man_with_blanks");
  CHECK((*again)[1].where.is_all());
  CHECK(encode_tokens(*again) == encode_tokens(records));
}

TEST_CASE("the token file's format stays what it is", "[access]") {
  TokenRecord fixed = record("ci");
  fixed.id = "0123456789ab";
  fixed.hash = Hasher::of("");
  CHECK(
      encode_tokens({fixed}) ==
      "larder-tokens 1\n"
      "0123456789ab e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 1700000000 0 read,write "
      "sstate-cache ci 127.0.0.1\n"
      "end 1\n");
}

TEST_CASE("a damaged token file is refused, and its line named", "[access]") {
  const std::string good = encode_tokens({record("ci"), record("anna")});
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    INFO(cut);
    CHECK_FALSE(decode_tokens(good.substr(0, cut)));
  }
  const auto replaced = [&](const std::string& what, const std::string& by) {
    std::string text = good;
    return text.replace(text.find(what), what.size(), by);
  };
  CHECK(decode_tokens(good));
  CHECK_FALSE(decode_tokens(good + "end 2\n"));
  CHECK_FALSE(decode_tokens(replaced("127.0.0.1", "127.0\x13.1")));
  CHECK_FALSE(decode_tokens(replaced("end 2", "end 1")));
  CHECK_FALSE(decode_tokens(replaced("larder-tokens 1", "larder-tokens 2")));
  CHECK_FALSE(decode_tokens(replaced("read,write", "read,eat")));
  CHECK_FALSE(decode_tokens(replaced("read,write", "admin")));  // in one namespace only
  CHECK_FALSE(decode_tokens(replaced(" anna ", " ci ")));
  CHECK_FALSE(decode_tokens(replaced(" anna ", "  ")));
  CHECK(decode_tokens(replaced("1700000000", "soon")).error().message().starts_with("line 2 "));
  CHECK_FALSE(decode_tokens(std::string(100, '\0')));
  CHECK(decode_tokens(replaced("end 2", "# a note\nend 2")));
}

TEST_CASE("changing the token file keeps it whole, private and exclusive", "[access]") {
  const TemporaryDirectory directory;
  const TokenFile file(directory.path() / "access" / "tokens");
  CHECK(file.read()->empty());
  CHECK(file.stamp().empty());
  TokenRecord wanted = record("ci");
  const auto made = add_token(file, wanted, 1'700'000'000);
  REQUIRE(made);
  const std::string before = file.stamp();
  CHECK_FALSE(before.empty());
  struct stat status {};
  REQUIRE(::stat(file.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  REQUIRE(::stat(file.path().parent_path().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0700);

  CHECK(add_token(file, wanted, 1'700'000'000).error().code() == Errc::exists);
  CHECK(drop_token(file, "nobody").error().code() == Errc::not_found);
  CHECK(file.stamp() == before);  // a change that failed changed nothing
  CHECK(drop_token(file, made->id)->name == "ci");
  CHECK(file.read()->empty());
}

TEST_CASE("only sensible tokens are made", "[access]") {
  const TemporaryDirectory directory;
  const TokenFile file(directory.path() / "access" / "tokens");
  const auto refused = [&](const std::function<void(TokenRecord&)>& change) {
    TokenRecord wanted = record("ci");
    change(wanted);
    const auto made = add_token(file, wanted, 1'700'000'000);
    return !made && made.error().code() == Errc::invalid_argument;
  };
  CHECK(refused([](TokenRecord& each) { each.name = ""; }));
  CHECK(refused([](TokenRecord& each) { each.name = "a b"; }));
  CHECK(refused([](TokenRecord& each) { each.name = "anonymous"; }));
  CHECK(refused([](TokenRecord& each) { each.name = "a@b"; }));
  CHECK(refused([](TokenRecord& each) { each.rights = {}; }));
  CHECK(refused([](TokenRecord& each) { each.rights = {Right::admin}; }));
  CHECK(refused([](TokenRecord& each) { each.expires = 1'600'000'000; }));
}
