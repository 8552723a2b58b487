#include "server/ftp/address.hpp"

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::ftp;

TEST_CASE("PORT's six numbers are an address", "[ftp]") {
  CHECK(*parse_port_argument("192,0,2,1,19,137") == DataAddress{Family::v4, "192.0.2.1", 5001});
  CHECK(*parse_port_argument("0,0,0,0,0,0") == DataAddress{Family::v4, "0.0.0.0", 0});
  CHECK(*parse_port_argument("255,255,255,255,255,255") == DataAddress{Family::v4, "255.255.255.255", 65535});
  for (const char* text :
       {"", "1", "1,2,3,4,5", "1,2,3,4,5,6,7", "1,2,3,4,5,256", "256,0,0,1,1,1", "1,2,3,4,5,-6",
        "1,2,3,4,5,+6", "1,2,3,4, 5,6", " 1,2,3,4,5,6", "1,2,3,4,5,6 ", "1.2.3.4,5,6", "a,b,c,d,e,f", ",,,,,",
        "1,2,3,4,5,", "1,2,3,4,5,0x6", "1,2,3,4,5,99999999999999999999"}) {
    INFO(text);
    CHECK(parse_port_argument(text).error().code() == Errc::invalid_argument);
  }
}

TEST_CASE("EPRT names a family, an address and a port", "[ftp]") {
  CHECK(*parse_eprt_argument("|1|192.0.2.1|5001|") == DataAddress{Family::v4, "192.0.2.1", 5001});
  CHECK(*parse_eprt_argument("|2|2001:db8::1|5001|") == DataAddress{Family::v6, "2001:db8::1", 5001});
  CHECK(*parse_eprt_argument("!2!::!65535!") == DataAddress{Family::v6, "::", 65535});
  CHECK(*parse_eprt_argument("|2|::ffff:192.0.2.1|1|") == DataAddress{Family::v6, "::ffff:192.0.2.1", 1});
  for (const char* text : {"",
                           "|",
                           "||||",
                           "|1|192.0.2.1|5001",
                           "|1|192.0.2.1|5001||",
                           "|1|192.0.2.1|5001|x",
                           "|1|192.0.2|5001|",
                           "|1|192.0.2.1.1|5001|",
                           "|1|192.0.2.256|5001|",
                           "|1|192.0.02.1|5001|",
                           "|1|0300.0.2.1|5001|",
                           "|1|localhost|5001|",
                           "|1|::1|5001|",
                           "|2|192.0.2.1|5001|",
                           "|2|fe80::1%lo|5001|",
                           "|2|cafe|5001|",
                           "|1|192.0.2.1|65536|",
                           "|1|192.0.2.1|-1|",
                           "|1|192.0.2.1||",
                           " 1 192.0.2.1 5001 ",
                           "|1||5001|",
                           "\x7F"
                           "1\x7F"
                           "192.0.2.1\x7F"
                           "5001\x7F",
                           "1|192.0.2.1|5001|"}) {
    INFO(text);
    CHECK(parse_eprt_argument(text).error().code() == Errc::invalid_argument);
  }
  CHECK(parse_eprt_argument("|3|x|5001|").error().code() == Errc::not_supported);
  CHECK(parse_eprt_argument("||192.0.2.1|5001|").error().code() == Errc::not_supported);
}

TEST_CASE("passive replies spell addresses as the RFCs do", "[ftp]") {
  CHECK(passive_address("192.0.2.1", 5001) == "192,0,2,1,19,137");
  CHECK(passive_address("127.0.0.1", 65535) == "127,0,0,1,255,255");
  CHECK(extended_passive_address(5001) == "|||5001|");
}
