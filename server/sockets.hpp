// The sockets larderd listens on: opened before anything else, while it may still
// have the right to take a low port, or handed over by systemd.
#pragma once

#include <string>
#include <vector>

#include "server/config.hpp"
#include "server/runtime/listening_socket.hpp"

namespace larder {

struct Sockets {
  std::vector<ListeningSocket> http;
  std::vector<ListeningSocket> https;
  std::vector<ListeningSocket> ftp;  // as many as, and in the order of, ftp.listen, unless handed over
  std::vector<ListeningSocket> ftps;
  std::vector<ListeningSocket> hashserv;
};

// A socket that somebody else opened for us, and what FileDescriptorName= calls it.
struct HandedOver {
  Descriptor descriptor;
  std::string name;
};

// What systemd hands over (sd_listen_fds(3)), once; empty without it.
std::vector<HandedOver> handed_over_sockets();

// Handed-over ones take the place of all that the configuration names for their protocol.
// Errc::invalid_argument for one whose name is none of `http`, `https`, `ftp`, `ftps` and `hashserv` (or
// nothing, which means http).
Result<Sockets> open_sockets(const Config& config, std::vector<HandedOver> handed_over);

}  // namespace larder
