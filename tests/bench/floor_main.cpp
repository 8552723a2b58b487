// larder-bench-floor: what any server has to do for a small request, and nothing
// else: wait, receive, send the same answer. What others cost above it is theirs.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

constexpr std::string_view k_answer =
    "HTTP/1.1 200 OK\r\nServer: floor\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    "Content-Type: application/octet-stream\r\nContent-Length: 0\r\n"
    "ETag: \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"\r\n"
    "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\nAccept-Ranges: bytes\r\n\r\n";

int listen_on(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool listens = fd >= 0 &&
                       ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(fd, 512) == 0;
  return listens ? fd : -1;
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void answer(int fd) {
  static std::array<char, 65536> room;
  const auto count = ::recv(fd, room.data(), room.size(), MSG_DONTWAIT);
  if (count > 0 && ::send(fd, k_answer.data(), k_answer.size(), MSG_NOSIGNAL) > 0) return;
  ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  const int listener = argc == 2 ? listen_on(std::atoi(argv[1])) : -1;
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (listener < 0 || epoll < 0) {
    std::fputs("larder-bench-floor PORT: cannot listen there\n", stderr);
    return 1;
  }
  watch(epoll, listener);
  std::array<epoll_event, 256> events;
  while (true) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd != listener) {
        answer(events[i].data.fd);
        continue;
      }
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (fd >= 0) watch(epoll, fd);
    }
  }
}
