#include "server/ftp/reply.hpp"

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::ftp;

namespace {

std::string reply(int code, std::string_view text) {
  std::string out;
  append_reply(out, code, text);
  return out;
}

}  // namespace

TEST_CASE("a reply is one line, or several that belong together", "[ftp]") {
  CHECK(reply(200, "Fine") == "200 Fine\r\n");
  CHECK(reply(211, "Features:\nSIZE\nEnd") == "211-Features:\r\n SIZE\r\n211 End\r\n");
  CHECK(reply(200, "") == "200 \r\n");
}

TEST_CASE("what a client sent cannot forge a reply", "[ftp]") {
  CHECK(reply(550, "There is no /a\r226 Done\x1B[2J\xFF") == "550 There is no /a?226 Done?[2J?\r\n");
  // An inner line that looks like the end of the reply is none, since it starts with a space.
  CHECK(reply(213, "x:\n213 End\nEnd") == "213-x:\r\n 213 End\r\n213 End\r\n");
}

TEST_CASE("quotes in a directory are doubled", "[ftp]") {
  CHECK(quoted_directory("/a \"b\"") == "\"/a \"\"b\"\"\"");
}

TEST_CASE("errors have the codes that FTP clients know", "[ftp]") {
  CHECK(code_of(Errc::not_found, Doing::reading) == 550);
  CHECK(code_of(Errc::invalid_name, Doing::reading) == 550);
  CHECK(code_of(Errc::invalid_name, Doing::storing) == 553);
  CHECK(code_of(Errc::conflict, Doing::storing) == 553);
  CHECK(code_of(Errc::corrupt, Doing::storing) == 553);
  CHECK(code_of(Errc::no_space, Doing::storing) == 452);
  CHECK(code_of(Errc::too_large, Doing::storing) == 552);
  CHECK(code_of(Errc::io, Doing::reading) == 451);
  // Every error is a failure, permanent or not.
  for (int number = 0; number <= static_cast<int>(Errc::io); ++number) {
    for (const Doing doing : {Doing::reading, Doing::storing, Doing::removing}) {
      const int code = code_of(static_cast<Errc>(number), doing);
      INFO(number << " " << code);
      CHECK((code >= 400 && code <= 559));
    }
  }
}
