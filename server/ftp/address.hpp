// Addresses of data connections as FTP spells them (RFC 959, 2428). Pure text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace larder::ftp {

enum class Family : std::uint8_t { v4 = 1, v6 = 2 };  // the numbers of RFC 2428

struct DataAddress {
  Family family = Family::v4;
  std::string host;  // "192.0.2.1"; of v6 only the alphabet has been checked
  std::uint16_t port = 0;
  bool operator==(const DataAddress&) const = default;
};

// "192,0,2,1,19,137". Errc::invalid_argument.
Result<DataAddress> parse_port_argument(std::string_view argument);
// "|1|192.0.2.1|5001|", any delimiter. Errc::invalid_argument, Errc::not_supported
// for a family that is neither 1 nor 2.
Result<DataAddress> parse_eprt_argument(std::string_view argument);

// What PASV answers: "192,0,2,1,19,137". `host` is an IPv4 address.
std::string passive_address(std::string_view host, std::uint16_t port);
// What EPSV answers: "|||5001|".
std::string extended_passive_address(std::uint16_t port);

}  // namespace larder::ftp
