// What PORT and EPRT accept is an address, and can be said again.
#include "server/ftp/address.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace larder::ftp;
using larder::fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = larder::fuzz::text_of(data, size);
  const auto port = parse_port_argument(input);
  if (port) {
    demand(port->family == Family::v4, "PORT knows one family");
    demand(parse_port_argument(passive_address(port->host, port->port)).value() == *port,
           "what PASV says, PORT reads");
  }
  const auto extended = parse_eprt_argument(input);
  if (extended) {
    const std::string again = "|" + std::to_string(static_cast<int>(extended->family)) + "|" +
                              extended->host + "|" + std::to_string(extended->port) + "|";
    demand(parse_eprt_argument(again).value() == *extended, "any delimiter means the same");
    demand(extended->host.find_first_of("\r\n |,") == std::string::npos, "a host is a word");
  }
  return 0;
}
