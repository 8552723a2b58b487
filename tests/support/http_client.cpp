#include "tests/support/http_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace larder {
namespace {

constexpr timeval k_deadline = {10, 0};

}  // namespace

HttpClient::HttpClient(std::uint16_t port, int receive_buffer)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0)
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect");
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &k_deadline, sizeof k_deadline);
}

HttpClient::~HttpClient() {
  drop();
}

void HttpClient::finish_sending() {
  ::shutdown(socket_, SHUT_WR);
}

void HttpClient::put_plain(std::string_view bytes) {
  (void)HttpClient::put(bytes.data(), bytes.size());
}

void HttpClient::drop() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

long HttpClient::put(const char* bytes, std::size_t count) {
  return ::send(socket_, bytes, count, MSG_NOSIGNAL);
}

long HttpClient::take(char* into, std::size_t room) {
  const ssize_t count = ::recv(socket_, into, room, 0);
  if (count < 0 && errno == EAGAIN) throw std::runtime_error("the server did not answer in time");
  return count;
}

void HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const long count = put(bytes.data(), bytes.size());
    if (count <= 0) return;  // the server closed: the answer, or its absence, will tell
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

bool HttpClient::fill() {
  char piece[65536];
  const long count = take(piece, sizeof piece);
  if (count <= 0) return false;
  received_.append(piece, static_cast<std::size_t>(count));
  return true;
}

HttpAnswer HttpClient::receive(bool head) {
  HttpAnswer answer;
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return answer;
  }
  answer.status = std::stoi(received_.substr(9, 3));
  std::size_t line = received_.find("\r\n") + 2;
  while (line < end) {
    const std::size_t line_end = received_.find("\r\n", line);
    const std::size_t colon = received_.find(": ", line);
    std::string name = received_.substr(line, colon - line);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    answer.fields[name] = received_.substr(colon + 2, line_end - colon - 2);
    line = line_end + 2;
  }
  received_.erase(0, end + 4);
  if (head || answer.status == 100 || answer.status == 204 || answer.status == 304) return answer;
  const std::size_t length = std::stoull(answer.fields["content-length"]);
  while (received_.size() < length) {
    if (!fill()) break;
  }
  answer.body = received_.substr(0, length);
  received_.erase(0, length);
  return answer;
}

bool HttpClient::ended() {
  while (fill()) {
  }
  return true;
}

HttpAnswer HttpClient::request(std::string_view method, std::string_view target, std::string_view fields,
                               std::string_view body) {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: test\r\n").append(fields);
  if (!body.empty() || method == "PUT" || method == "POST")
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  text.append("\r\n").append(body);
  send(text);
  return receive(method == "HEAD");
}

}  // namespace larder
