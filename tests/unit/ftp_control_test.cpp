// Every command in every state, by value.
#include "server/ftp/control.hpp"

#include <map>

#include "server/access/token.hpp"
#include "tests/support/catch.hpp"

using namespace larder::ftp;

namespace {

using Kind = Action::Kind;

const char* word(Kind kind) {
  switch (kind) {
    case Kind::reply: return "";
    case Kind::goodbye: return "goodbye";
    case Kind::log_in: return "log in";
    case Kind::secure: return "secure";
    case Kind::open_passive: return "open passive";
    case Kind::aim: return "aim";
    case Kind::enter: return "enter";
    case Kind::tell_size: return "size of";
    case Kind::tell_time: return "time of";
    case Kind::tell_facts: return "facts of";
    case Kind::tell_status: return "status of";
    case Kind::list: return "list";
    case Kind::retrieve: return "retrieve";
    case Kind::store: return "store";
    case Kind::remove: return "remove";
    case Kind::make_directory: return "make";
    case Kind::remove_directory: return "unmake";
    case Kind::rename_from: return "rename from";
    case Kind::rename: return "rename";
    case Kind::abort: return "abort";
  }
  return "?";
}

// "530", "goodbye 221", "retrieve /a/b @5", "aim 192.0.2.1:5001", "list names /a".
std::string shown(const Action& action) {
  std::string text = word(action.kind);
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : " ") + part; };
  if (action.code != 0) add(std::to_string(action.code));
  if (action.kind == Kind::open_passive && action.extended) add("extended");
  if (action.kind == Kind::aim) add(action.address.host + ":" + std::to_string(action.address.port));
  if (action.kind == Kind::list && action.format == ListFormat::names) add("names");
  if (action.kind == Kind::list && action.format == ListFormat::machines) add("facts");
  if (action.kind == Kind::log_in) add(action.user + " " + action.secret);
  if (!action.path.empty()) add(action.path);
  if (!action.target.empty()) add("to " + action.target);
  if (action.offset > 0) add("@" + std::to_string(action.offset));
  if (action.size) add("of " + std::to_string(*action.size));
  if (action.appends) add("appending");
  return text;
}

std::string on(Control& control, std::string_view line) {
  return shown(control.on(parse_command(line)));
}

Control logged_in(Family family = Family::v4) {
  Control control(family);
  (void)on(control, "USER anonymous");
  control.entered("/dl/d");
  return control;
}

Control ready(Family family = Family::v4) {
  Control control = logged_in(family);
  control.data_is(DataMode::passive);
  return control;
}

}  // namespace

TEST_CASE("every FTP command has its answer in every state", "[ftp]") {
  struct Row {
    const char* line;
    const char* before;  // the login
    const char* user;    // between USER and PASS
    const char* after;
    const char* ready;  // to transfer
  };
  const Row rows[] = {
      {"USER anonymous", "230", "230", "230", "230"},
      {"USER ftp", "230", "230", "230", "230"},
      {"USER somebody", "331", "331", "331", "331"},
      {"USER", "501", "501", "501", "501"},
      {"PASS x", "503", "log in somebody x", "230", "230"},
      {"ACCT x", "202", "202", "202", "202"},
      {"QUIT", "goodbye 221", "goodbye 221", "goodbye 221", "goodbye 221"},
      {"REIN", "220", "220", "220", "220"},
      {"NOOP", "200", "200", "200", "200"},
      {"SYST", "215", "215", "215", "215"},
      {"FEAT", "211", "211", "211", "211"},
      {"HELP", "214", "214", "214", "214"},
      {"HELP RETR", "214", "214", "214", "214"},
      {"OPTS UTF8 ON", "200", "200", "200", "200"},
      {"OPTS UTF8 OFF", "504", "504", "504", "504"},
      {"OPTS MLST size;", "200", "200", "200", "200"},
      {"OPTS", "501", "501", "501", "501"},
      {"OPTS x", "501", "501", "501", "501"},
      {"CLNT x", "200", "200", "200", "200"},
      {"AUTH TLS", "502", "502", "502", "502"},
      {"PBSZ 0", "502", "502", "502", "502"},
      {"PROT P", "502", "502", "502", "502"},
      {"CCC", "502", "502", "502", "502"},
      {"LANG de", "502", "502", "502", "502"},
      {"SITE CHMOD 644 x", "530", "530", "502", "502"},
      {"SMNT x", "530", "530", "502", "502"},
      {"MFMT 1 x", "530", "530", "502", "502"},
      {"STOU", "530", "530", "502", "502"},
      {"WHAT x", "500", "500", "500", "500"},
      {"", "500", "500", "500", "500"},
      {"STAT", "530", "530", "211", "211"},
      {"STAT x", "530", "530", "status of /dl/d/x", "status of /dl/d/x"},
      {"PWD", "530", "530", "257", "257"},
      {"CWD x", "530", "530", "enter /dl/d/x", "enter /dl/d/x"},
      {"CWD", "530", "530", "501", "501"},
      {"CDUP", "530", "530", "enter /dl", "enter /dl"},
      {"TYPE I", "530", "530", "200", "200"},
      {"TYPE A", "530", "530", "200", "200"},
      {"TYPE a n", "530", "530", "200", "200"},
      {"TYPE L 8", "530", "530", "200", "200"},
      {"TYPE E", "530", "530", "504", "504"},
      {"TYPE", "530", "530", "501", "501"},
      {"MODE", "530", "530", "501", "501"},
      {"STRU", "530", "530", "501", "501"},
      {"GET / HTTP/1.1", "goodbye 421", "goodbye 421", "500", "500"},
      {"Host: x", "goodbye 421", "goodbye 421", "500", "500"},
      {"MODE S", "530", "530", "200", "200"},
      {"MODE Z", "530", "530", "504", "504"},
      {"STRU F", "530", "530", "200", "200"},
      {"STRU R", "530", "530", "504", "504"},
      {"ALLO 10", "530", "530", "200", "200"},
      {"ALLO 10 R 5", "530", "530", "200", "200"},
      {"ALLO x", "530", "530", "501", "501"},
      {"REST 10", "530", "530", "350", "350"},
      {"REST", "530", "530", "501", "501"},
      {"REST -1", "530", "530", "501", "501"},
      {"REST 18446744073709551616", "530", "530", "501", "501"},
      {"PASV", "530", "530", "open passive", "open passive"},
      {"EPSV", "530", "530", "open passive extended", "open passive extended"},
      {"EPSV 1", "530", "530", "open passive extended", "open passive extended"},
      {"EPSV 2", "530", "530", "522", "522"},
      {"EPSV 3", "530", "530", "522", "522"},
      {"EPSV ALL", "530", "530", "200", "200"},
      {"PORT 192,0,2,1,19,137", "530", "530", "aim 192.0.2.1:5001", "aim 192.0.2.1:5001"},
      {"PORT 192,0,2,1,3,255", "530", "530", "504", "504"},
      {"PORT x", "530", "530", "501", "501"},
      {"EPRT |1|192.0.2.1|5001|", "530", "530", "aim 192.0.2.1:5001", "aim 192.0.2.1:5001"},
      {"EPRT |1|192.0.2.1|80|", "530", "530", "504", "504"},
      {"EPRT |2|::1|5001|", "530", "530", "522", "522"},
      {"EPRT |3|x|5001|", "530", "530", "522", "522"},
      {"EPRT", "530", "530", "501", "501"},
      {"SIZE x", "530", "530", "size of /dl/d/x", "size of /dl/d/x"},
      {"SIZE", "530", "530", "501", "501"},
      {"MDTM x", "530", "530", "time of /dl/d/x", "time of /dl/d/x"},
      {"MLST x", "530", "530", "facts of /dl/d/x", "facts of /dl/d/x"},
      {"MLST", "530", "530", "facts of /dl/d", "facts of /dl/d"},
      {"DELE x", "530", "530", "remove /dl/d/x", "remove /dl/d/x"},
      {"MKD x", "530", "530", "make /dl/d/x", "make /dl/d/x"},
      {"RMD x", "530", "530", "unmake /dl/d/x", "unmake /dl/d/x"},
      {"RNFR x", "530", "530", "rename from /dl/d/x", "rename from /dl/d/x"},
      {"RNTO x", "530", "530", "503", "503"},
      {"ABOR", "530", "530", "abort 226", "abort 226"},
      {"LIST", "530", "530", "425", "list /dl/d"},
      {"LIST -la", "530", "530", "425", "list /dl/d"},
      {"LIST -la x y", "530", "530", "425", "list /dl/d/x y"},
      {"NLST x", "530", "530", "425", "list names /dl/d/x"},
      {"MLSD", "530", "530", "425", "list facts /dl/d"},
      {"MLSD -x", "530", "530", "425", "list facts /dl/d/-x"},
      {"RETR x", "530", "530", "425", "retrieve /dl/d/x"},
      {"RETR /x", "530", "530", "425", "retrieve /x"},
      {"RETR", "530", "530", "501", "501"},
      {"STOR x", "530", "530", "425", "store /dl/d/x"},
      {"STOR", "530", "530", "501", "501"},
      {"APPE x", "530", "530", "425", "store /dl/d/x appending"},
  };
  for (const Row& row : rows) {
    INFO(row.line);
    Control fresh(Family::v4);
    CHECK(on(fresh, row.line) == row.before);
    Control asked(Family::v4);
    (void)on(asked, "USER somebody");
    CHECK(on(asked, row.line) == row.user);
    Control inside = logged_in();
    CHECK(on(inside, row.line) == row.after);
    Control prepared = ready();
    CHECK(on(prepared, row.line) == row.ready);
  }
}

TEST_CASE("what REST and ALLO say holds for one transfer", "[ftp]") {
  Control control = ready();
  (void)on(control, "REST 10");
  CHECK(on(control, "PASV") == "open passive");  // clients prepare the connection in between
  CHECK(on(control, "RETR x") == "retrieve /dl/d/x @10");
  CHECK(on(control, "RETR x") == "retrieve /dl/d/x");
  (void)on(control, "ALLO 99");
  (void)on(control, "REST 7");
  CHECK(on(control, "STOR x") == "store /dl/d/x @7 of 99");
  CHECK(on(control, "STOR x") == "store /dl/d/x");
  (void)on(control, "REST 5");
  CHECK(on(control, "LIST") == "list /dl/d");
  CHECK(on(control, "RETR x") == "retrieve /dl/d/x");
}

TEST_CASE("after EPSV ALL no other data connection is prepared", "[ftp]") {
  Control control = ready();
  (void)on(control, "EPSV ALL");
  CHECK(on(control, "PASV") == "503");
  CHECK(on(control, "PORT 192,0,2,1,19,137") == "503");
  CHECK(on(control, "EPRT |1|192.0.2.1|5001|") == "503");
  CHECK(on(control, "EPSV") == "open passive extended");
}

TEST_CASE("an IPv6 session has extended commands only", "[ftp]") {
  Control control = logged_in(Family::v6);
  CHECK(on(control, "PASV") == "425");
  CHECK(on(control, "PORT 192,0,2,1,19,137") == "522");
  CHECK(on(control, "EPRT |1|192.0.2.1|5001|") == "522");
  CHECK(on(control, "EPRT |2|2001:db8::1|5001|") == "aim 2001:db8::1:5001");
  CHECK(on(control, "EPSV 1") == "522");
  CHECK(on(control, "EPSV 2") == "open passive extended");
}

TEST_CASE("RNTO follows RNFR at once or not at all", "[ftp]") {
  Control control = logged_in();
  (void)on(control, "RNFR a");
  CHECK(on(control, "RNTO b") == "503");  // the driver found no such file
  (void)on(control, "RNFR a");
  control.renaming("/dl/d/a");
  (void)on(control, "NOOP");
  CHECK(on(control, "RNTO b") == "rename /dl/d/a to /dl/d/b");
  CHECK(on(control, "RNTO b") == "503");
  control.renaming("/dl/d/a");
  (void)on(control, "CWD x");
  CHECK(on(control, "RNTO b") == "503");
}

TEST_CASE("REIN forgets everything but failures", "[ftp]") {
  Control control = ready();
  (void)on(control, "REST 5");
  (void)on(control, "TYPE I");
  (void)on(control, "REIN");
  CHECK_FALSE(control.logged_in());
  CHECK(control.directory() == "/");
  CHECK(control.ascii());
  CHECK(on(control, "RETR x") == "530");
  (void)on(control, "USER anonymous");
  CHECK(on(control, "RETR x") == "425");
}

TEST_CASE("USER and REIN end a login, unless they are refused", "[ftp]") {
  using Login = Action::Login;
  Control control = ready();
  CHECK(control.on(parse_command("NOOP")).login == Login::stays);
  CHECK(control.on(parse_command("USER")).login == Login::stays);
  CHECK(control.on(parse_command("PASS x")).login == Login::stays);
  CHECK(control.on(parse_command("USER anonymous")).login == Login::ends);
  CHECK(control.on(parse_command("USER other")).login == Login::ends);
  CHECK(control.on(parse_command("REIN")).login == Login::ends);
  Protection protection;
  protection.control = Protection::Channel::tls;
  Control secure(Family::v4, protection);
  (void)on(secure, "USER anonymous");
  CHECK(secure.on(parse_command("REIN")).login == Login::stays);
  CHECK(secure.logged_in());
}

TEST_CASE("three failed logins end a session, with or without REIN in between", "[ftp]") {
  Control control(Family::v4);
  for (const char* expected : {"530", "530", "goodbye 421"}) {
    (void)on(control, "USER root");
    CHECK(on(control, "PASS root") == "log in root root");
    CHECK(shown(control.refused()) == expected);
    CHECK_FALSE(control.logged_in());
    (void)on(control, "REIN");
  }
}

TEST_CASE("who is known is logged in, under the name that is told", "[ftp]") {
  Control control(Family::v4);
  CHECK(on(control, "USER Ci") == "331");
  CHECK(on(control, "PASS larder_0 with blanks") == "log in Ci larder_0 with blanks");
  CHECK_FALSE(control.logged_in());
  CHECK(on(control, "PASS larder_0") == "503");  // the user has to be named again
  CHECK(shown(control.logged_in_as("ci")) == "230");
  CHECK(control.logged_in());
  CHECK(control.on(parse_command("STAT")).text.find("Logged in as ci,") != std::string::npos);
  CHECK(on(control, "PASS again") == "503");
  CHECK(on(control, "USER anonymous") == "230");
  CHECK(control.on(parse_command("STAT")).text.find("Logged in as anonymous,") != std::string::npos);
}

TEST_CASE("whose credentials mean nothing is anonymous", "[ftp]") {
  Control control(Family::v4);
  (void)on(control, "USER ci");
  CHECK(on(control, "PASS x") == "log in ci x");
  CHECK(shown(control.logged_in_as_nobody()) == "230");
  CHECK(control.logged_in());
  CHECK(control.on(parse_command("STAT")).text.find("Logged in as anonymous,") != std::string::npos);

  Control closed(Family::v4, Anonymous::refused);
  (void)on(closed, "USER ci");
  (void)on(closed, "PASS x");
  CHECK(shown(closed.logged_in_as_nobody()) == "530");
  CHECK_FALSE(closed.logged_in());
}

TEST_CASE("where anonymous may do nothing, it is not let in", "[ftp]") {
  Control control(Family::v4, Anonymous::refused);
  CHECK(on(control, "USER anonymous") == "331");
  CHECK(on(control, "PASS me@home") == "530");
  CHECK(on(control, "PASS me@home") == "503");
  CHECK(on(control, "RETR x") == "530");
  CHECK(on(control, "REIN") == "220");
  CHECK(on(control, "USER ftp") == "331");
  CHECK_FALSE(control.logged_in());
  (void)on(control, "USER ci");
  (void)on(control, "PASS x");
  (void)control.logged_in_as("ci");
  CHECK(on(control, "RETR x") == "425");
}

TEST_CASE("a token is shown whatever the user's name, anonymous as well", "[ftp]") {
  const std::string token = larder::make_token().text;
  const Anonymous anonymous = GENERATE(Anonymous::welcome, Anonymous::refused);
  Control control(Family::v4, anonymous);
  (void)on(control, "USER Anonymous");
  const Action action = control.on(parse_command("PASS " + token));
  CHECK(action.kind == Action::Kind::log_in);
  CHECK(action.secret == token);
  CHECK_FALSE(control.logged_in());
  SECTION("it is right") {
    CHECK(shown(control.logged_in_as("ci")) == "230");
    CHECK(control.on(parse_command("STAT")).text.find("Logged in as ci,") != std::string::npos);
  }
  SECTION("it is wrong") {
    CHECK(shown(control.refused()) == "530");
    CHECK(on(control, "RETR x") == "530");
  }
}

TEST_CASE("who asks much without a login is sent away", "[ftp]") {
  Control control(Family::v4);
  std::string answer;
  int asked = 0;
  for (; asked < 1000 && !answer.starts_with("goodbye"); ++asked)
    answer = on(control, asked % 2 ? "NOOP" : "REIN");
  CHECK(answer == "goodbye 421");
  CHECK(asked <= 64);
  Control patient = logged_in();
  for (int i = 0; i < 1000; ++i) CHECK(on(patient, "NOOP") == "200");
}

TEST_CASE("FEAT marks the facts that are chosen", "[ftp]") {
  Control control = logged_in();
  CHECK(control.on(parse_command("OPTS MLST size;type;")).text == "MLST OPTS type;size;");
  CHECK(control.on(parse_command("FEAT")).text.find("MLST type*;size*;modify;perm;") != std::string::npos);
  CHECK(control.facts() == parse_facts("type;size"));
  CHECK(control.on(parse_command("OPTS MLST")).text == "MLST OPTS ");
}

TEST_CASE("nothing that is said before the login names a version", "[ftp]") {
  Control control(Family::v4);
  for (const char* line : {"SYST", "HELP", "FEAT", "USER anonymous", "STAT"})
    CHECK(control.on(parse_command(line)).text.find(LARDER_VERSION) == std::string::npos);
}
