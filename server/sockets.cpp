#include "server/sockets.hpp"

#include <systemd/sd-daemon.h>

#include <cstdlib>

namespace larder {
namespace {

constexpr std::string_view k_nameless = "unknown";  // what sd_listen_fds_with_names(3) calls it

Result<void> sort_in(HandedOver handed_over, Sockets& sockets) {
  const std::string name = handed_over.name;
  LARDER_TRY_ASSIGN(ListeningSocket socket, ListeningSocket::take_over(std::move(handed_over.descriptor)));
  if (name == "http" || name == k_nameless || name.empty()) {
    sockets.http.push_back(std::move(socket));
    return {};
  }
  if (name == "ftp") {
    sockets.ftp.push_back(std::move(socket));
    return {};
  }
  return Error(Errc::invalid_argument, "the socket for " + socket.name() + " was handed over as '" + name +
                                           "'; say FileDescriptorName=http or FileDescriptorName=ftp");
}

}  // namespace

std::vector<HandedOver> handed_over_sockets() {
  char** names = nullptr;
  constexpr int k_forget = 1;  // children are not to take them for theirs
  const int count = ::sd_listen_fds_with_names(k_forget, &names);
  std::vector<HandedOver> sockets;
  for (int i = 0; i < count; ++i) {
    sockets.push_back({Descriptor(SD_LISTEN_FDS_START + i), names[i]});
    std::free(names[i]);
  }
  std::free(names);
  return sockets;
}

Result<Sockets> open_sockets(const Config& config, std::vector<HandedOver> handed_over) {
  Sockets sockets;
  for (HandedOver& each : handed_over) LARDER_TRY(sort_in(std::move(each), sockets));
  if (sockets.http.empty()) {
    for (const Endpoint& each : config.http.listen) {
      LARDER_TRY_ASSIGN(auto socket, ListeningSocket::bind(each.address, each.port));
      sockets.http.push_back(std::move(socket));
    }
  }
  if (sockets.ftp.empty()) {
    for (const FtpEndpoint& each : config.ftp.listen) {
      LARDER_TRY_ASSIGN(auto socket, ListeningSocket::bind(each.endpoint.address, each.endpoint.port));
      sockets.ftp.push_back(std::move(socket));
    }
  }
  return sockets;
}

}  // namespace larder
