// A TCP socket that accepts connections already: bound by us, or handed over by
// the one who started us (systemd.socket(5)), who may bind ports that we may not.
#pragma once

#include <cstdint>
#include <string>

#include "common/descriptor.hpp"
#include "common/result.hpp"

namespace larder {

struct ListeningSocket {
  Descriptor descriptor;
  std::string address;     // as it was asked for; "": every address of both families
  std::uint16_t port = 0;  // the real one

  // An empty address listens on every address of both families; port 0 takes any.
  static Result<ListeningSocket> bind(const std::string& address, std::uint16_t port);
  // Errc::invalid_argument when it is no TCP socket that listens.
  static Result<ListeningSocket> take_over(Descriptor descriptor);

  std::string name() const;  // "127.0.0.1:8480", "*:8480"
};

}  // namespace larder
