#include "server/runtime/listening_socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>

namespace larder {
namespace {

using Endpoint = boost::asio::ip::tcp::endpoint;

constexpr int k_backlog = 4096;  // connections the kernel keeps until we take them

// 0, or what errno says. `descriptor` holds the socket when it went well.
int bind_to(const Endpoint& endpoint, bool both_families, Descriptor& descriptor) {
  descriptor = Descriptor(
      ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!descriptor) return errno;
  const int on = 1;
  ::setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int only_six = both_families ? 0 : 1;
  if (endpoint.address().is_v6())
    ::setsockopt(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_six, sizeof only_six);
  const auto size = static_cast<socklen_t>(endpoint.size());
  if (::bind(descriptor.get(), endpoint.data(), size) != 0) return errno;
  return ::listen(descriptor.get(), k_backlog) == 0 ? 0 : errno;
}

Result<Endpoint> local_endpoint(int descriptor) {
  Endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  if (::getsockname(descriptor, endpoint.data(), &size) != 0)
    return posix_error("ask for the address of", "a listening socket", errno);
  endpoint.resize(size);
  return endpoint;
}

int option(int descriptor, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

}  // namespace

Result<ListeningSocket> ListeningSocket::bind(const std::string& address, std::uint16_t port) {
  boost::system::error_code failure;
  const auto parsed = boost::asio::ip::make_address(address.empty() ? "::" : address, failure);
  if (failure)
    return Error(Errc::invalid_argument, "cannot listen on '" + address + "': this is no IP address");

  ListeningSocket listening;
  listening.address = address;
  const bool everywhere = address.empty();
  int error = bind_to(Endpoint(parsed, port), everywhere, listening.descriptor);
  // A kernel without IPv6, or one in which it is switched off.
  if (everywhere && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL))
    error = bind_to(Endpoint(boost::asio::ip::tcp::v4(), port), false, listening.descriptor);
  if (error != 0)
    return posix_error("listen on", (everywhere ? "*" : address) + ":" + std::to_string(port), error);
  LARDER_TRY_ASSIGN(const Endpoint local, local_endpoint(listening.descriptor.get()));
  listening.port = local.port();
  return listening;
}

Result<ListeningSocket> ListeningSocket::take_over(Descriptor descriptor) {
  const int family = option(descriptor.get(), SO_DOMAIN);
  const bool usable = option(descriptor.get(), SO_ACCEPTCONN) == 1 &&
                      option(descriptor.get(), SO_TYPE) == SOCK_STREAM &&
                      (family == AF_INET || family == AF_INET6);
  if (!usable)
    return Error(Errc::invalid_argument, "descriptor " + std::to_string(descriptor.get()) +
                                             ", handed over at the start, is no TCP socket that listens "
                                             "(ListenStream= of a systemd socket makes one)");
  const int flags = ::fcntl(descriptor.get(), F_GETFL);
  ::fcntl(descriptor.get(), F_SETFL, flags | O_NONBLOCK);
  ::fcntl(descriptor.get(), F_SETFD, FD_CLOEXEC);
  LARDER_TRY_ASSIGN(const Endpoint local, local_endpoint(descriptor.get()));
  ListeningSocket listening;
  listening.descriptor = std::move(descriptor);
  listening.port = local.port();
  if (!local.address().is_unspecified()) listening.address = local.address().to_string();
  return listening;
}

std::string ListeningSocket::name() const {
  const bool v6 = address.find(':') != std::string::npos;
  const std::string host = address.empty() ? "*" : v6 ? "[" + address + "]" : address;
  return host + ":" + std::to_string(port);
}

}  // namespace larder
