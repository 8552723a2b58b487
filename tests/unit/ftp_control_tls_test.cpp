// AUTH, PBSZ, PROT and CCC in every state (RFC 4217), by value.
#include "server/ftp/control.hpp"
#include "tests/support/catch.hpp"

using namespace larder::ftp;

namespace {

using Policy = Protection::Policy;
using Channel = Protection::Channel;

Control with(Policy policy, Channel channel = Channel::clear) {
  Protection protection;
  protection.policy = policy;
  protection.control = channel;
  return Control(Family::v4, protection);
}

Action on(Control& control, std::string_view line) {
  return control.on(parse_command(line));
}

int code(Control& control, std::string_view line) {
  return on(control, line).code;
}

// Behind AUTH and its handshake.
Control after_auth(Policy policy, std::string_view auth = "AUTH TLS") {
  Control control = with(policy);
  CHECK(on(control, auth).kind == Action::Kind::secure);
  control.secured();
  return control;
}

}  // namespace

TEST_CASE("each command of TLS gets its reply in each state", "[ftp][tls]") {
  const struct {
    std::string line;
    int off, offered, required, secured, implicit;
  } cases[] = {
      {"AUTH TLS", 502, 234, 234, 503, 503},       {"AUTH TLS-C", 502, 234, 234, 503, 503},
      {"AUTH SSL", 502, 234, 234, 503, 503},       {"AUTH TLS-P", 502, 234, 234, 503, 503},
      {"AUTH tls", 502, 234, 234, 503, 503},       {"AUTH KERBEROS_V4", 502, 504, 504, 504, 504},
      {"AUTH", 502, 501, 501, 501, 501},           {"PBSZ 0", 502, 503, 503, 200, 200},
      {"PBSZ 4096", 502, 503, 503, 200, 200},      {"PBSZ x", 502, 503, 503, 501, 501},
      {"PBSZ", 502, 503, 503, 501, 501},           {"PROT P", 502, 503, 503, 503, 503},
      {"PROT C", 502, 503, 503, 503, 503},         {"CCC", 502, 533, 533, 533, 533},
      {"USER anonymous", 230, 230, 530, 230, 230}, {"PASS x", 503, 503, 530, 503, 503},
      {"RETR a", 530, 530, 530, 530, 530},         {"FEAT", 211, 211, 211, 211, 211},
      {"QUIT", 221, 221, 221, 221, 221},           {"REIN", 220, 220, 220, 502, 502},
  };
  for (const auto& each : cases) {
    INFO(each.line);
    Control off = with(Policy::off);
    Control offered = with(Policy::optional);
    Control required = with(Policy::required);
    Control secured = after_auth(Policy::required);
    Control implicit = with(Policy::off, Channel::tls);
    CHECK(code(off, each.line) == each.off);
    CHECK(code(offered, each.line) == each.offered);
    CHECK(code(required, each.line) == each.required);
    CHECK(code(secured, each.line) == each.secured);
    CHECK(code(implicit, each.line) == each.implicit);
  }
}

TEST_CASE("PROT comes behind PBSZ, and says what data connections are", "[ftp][tls]") {
  Control control = after_auth(Policy::optional);
  CHECK_FALSE(control.protects_data());
  CHECK(code(control, "PBSZ 0") == 200);
  CHECK(code(control, "PROT P") == 200);
  CHECK(control.protects_data());
  for (const char* level : {"PROT S", "PROT E"}) CHECK(code(control, level) == 536);
  CHECK(code(control, "PROT X") == 504);
  CHECK(control.protects_data());
  CHECK(code(control, "PROT C") == 200);
  CHECK_FALSE(control.protects_data());
}

TEST_CASE("where TLS is required, data has to be private, too", "[ftp][tls]") {
  Control control = after_auth(Policy::required);
  CHECK(code(control, "USER anonymous") == 230);
  control.data_is(DataMode::passive);
  CHECK(code(control, "RETR /downloads/a") == 521);
  CHECK(code(control, "LIST") == 521);
  CHECK(code(control, "PBSZ 0") == 200);
  CHECK(code(control, "PROT C") == 534);
  CHECK(code(control, "PROT P") == 200);
  CHECK(on(control, "RETR /downloads/a").kind == Action::Kind::retrieve);
}

TEST_CASE("AUTH SSL, AUTH TLS-P and ftps mean data, too", "[ftp][tls]") {
  CHECK(after_auth(Policy::optional, "AUTH SSL").protects_data());
  CHECK(after_auth(Policy::optional, "AUTH TLS-P").protects_data());
  CHECK_FALSE(after_auth(Policy::optional, "AUTH TLS-C").protects_data());
  CHECK(with(Policy::off, Channel::tls).protects_data());
}

TEST_CASE("what was said before TLS counts for nothing under it", "[ftp][tls]") {
  Control control = with(Policy::optional);
  CHECK(code(control, "USER anonymous") == 230);
  CHECK(code(control, "TYPE I") == 200);
  control.entered("/downloads");
  CHECK(on(control, "AUTH TLS").kind == Action::Kind::secure);
  control.secured();
  CHECK_FALSE(control.logged_in());
  CHECK(control.ascii());
  CHECK(control.directory() == "/");
  CHECK(code(control, "RETR a") == 530);
}

TEST_CASE("FEAT names TLS where there is some", "[ftp][tls]") {
  Control off = with(Policy::off);
  Control offered = with(Policy::optional);
  CHECK(on(off, "FEAT").text.find("AUTH") == std::string::npos);
  const std::string features = on(offered, "FEAT").text;
  for (const char* each : {"\nAUTH TLS\n", "\nPBSZ\n", "\nPROT\n"})
    CHECK(features.find(each) != std::string::npos);
}
