#include "server/sockets.hpp"

#include <systemd/sd-daemon.h>

#include <cstdlib>

namespace larder {
namespace {

constexpr std::string_view k_nameless = "unknown";  // what sd_listen_fds_with_names(3) calls it

Result<void> sort_in(HandedOver handed_over, Sockets& sockets) {
  const std::string name = handed_over.name;
  LARDER_TRY_ASSIGN(ListeningSocket socket, ListeningSocket::take_over(std::move(handed_over.descriptor)));
  std::vector<ListeningSocket>* const place = name == "http" || name == k_nameless || name.empty()
                                                  ? &sockets.http
                                              : name == "https"    ? &sockets.https
                                              : name == "ftp"      ? &sockets.ftp
                                              : name == "ftps"     ? &sockets.ftps
                                              : name == "hashserv" ? &sockets.hashserv
                                                                   : nullptr;
  if (place != nullptr) {
    place->push_back(std::move(socket));
    return {};
  }
  return Error(Errc::invalid_argument, "the socket for " + socket.name() + " was handed over as '" + name +
                                           "'; say FileDescriptorName=http, https, ftp, ftps or hashserv");
}

const Endpoint& endpoint_of(const Endpoint& endpoint) {
  return endpoint;
}
const Endpoint& endpoint_of(const FtpEndpoint& endpoint) {
  return endpoint.endpoint;
}

template <typename Configured>
Result<void> bind_all(const std::vector<Configured>& configured, std::vector<ListeningSocket>& sockets) {
  for (const Configured& each : configured) {
    const Endpoint& endpoint = endpoint_of(each);
    LARDER_TRY_ASSIGN(auto socket, ListeningSocket::bind(endpoint.address, endpoint.port));
    sockets.push_back(std::move(socket));
  }
  return {};
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
  if (sockets.http.empty()) LARDER_TRY(bind_all(config.http.listen, sockets.http));
  if (sockets.https.empty()) LARDER_TRY(bind_all(config.http.listen_tls, sockets.https));
  if (sockets.ftp.empty()) LARDER_TRY(bind_all(config.ftp.listen, sockets.ftp));
  if (sockets.ftps.empty()) LARDER_TRY(bind_all(config.ftp.listen_tls, sockets.ftps));
  if (sockets.hashserv.empty()) LARDER_TRY(bind_all(config.hashserv.listen, sockets.hashserv));
  return sockets;
}

}  // namespace larder
