// larder-bench-load: asks a server on this machine for the same list of targets
// over and over, on a number of connections, each with one request in flight.
// Cheap enough that one core of it keeps one core of any server busy, which the
// scripted load generators do not manage. Prints one line of JSON.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::uint16_t port = 0;
  std::string method = "GET";
  std::string targets_file;
  std::size_t connections = 64;
  std::size_t requests = 100000;
  std::vector<int> expected = {200};
  std::string suffix;         // of every target: other names in every run
  std::size_t body_size = 0;  // bytes of every body sent; no two are the same
  std::string sync_below;     // what was stored is synced there, before the next request
  unsigned pause_us = 0;      // from one request of a connection to its next; 0: as soon as it has its answer
};

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// What BitBake sends for `target`.
std::string request_text(const Arguments& arguments, const std::string& target) {
  const std::string length =
      arguments.body_size == 0 ? "" : "Content-Length: " + std::to_string(arguments.body_size) + "\r\n";
  return arguments.method + " " + target + arguments.suffix +
         " HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: 127.0.0.1:" + std::to_string(arguments.port) +
         "\r\nAccept: */*\r\nUser-Agent: bitbake/2.19.0\r\nConnection: Keep-Alive\r\n" + length + "\r\n";
}

// "/a/b%3Ac" as a path below `root`.
std::string stored_file(const std::string& root, const std::string& target) {
  std::string file = root;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] != '%') {
      file += target[i];
      continue;
    }
    file += static_cast<char>(std::stoi(target.substr(i + 1, 2), nullptr, 16));
    i += 2;
  }
  return file;
}

void sync_path(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("cannot open " + path);
  if (::fsync(fd) != 0) fail("cannot sync " + path);
  ::close(fd);
}

std::vector<std::string> read_targets(const Arguments& arguments) {
  std::ifstream file(arguments.targets_file);
  std::vector<std::string> requests;
  for (std::string line; std::getline(file, line);) requests.push_back(line);
  if (requests.empty()) throw std::runtime_error("no targets in " + arguments.targets_file);
  return requests;
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("cannot make a socket");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("cannot connect");
  return fd;
}

struct ResponseHead {
  int status = 0;
  std::uint64_t content_length = 0;
};

// `text` ends with the empty line. Both servers spell the field like this.
ResponseHead parse_head(std::string_view text) {
  constexpr std::string_view k_length = "\r\nContent-Length: ";
  constexpr std::size_t k_status_at = 9;  // behind "HTTP/1.1 "
  ResponseHead head;
  if (text.size() < k_status_at + 3) throw std::runtime_error("not an HTTP answer");
  std::from_chars(text.data() + k_status_at, text.data() + k_status_at + 3, head.status);
  const auto at = text.find(k_length);
  if (at == std::string_view::npos) return head;  // 201 and 204 of some servers
  const char* const digits = text.data() + at + k_length.size();
  std::from_chars(digits, text.data() + text.size(), head.content_length);
  return head;
}

struct Connection {
  int fd = -1;
  std::string partial_head;
  std::uint64_t body_left = 0;  // bytes
  Clock::time_point asked;
  std::size_t target = 0;
};

class Load {
 public:
  explicit Load(const Arguments& arguments) : arguments_(arguments), targets_(read_targets(arguments)) {
    for (const std::string& target : targets_) requests_.push_back(request_text(arguments, target));
    for (std::size_t i = 0; i < arguments.body_size; ++i) body_ += static_cast<char>(i * 2654435761U >> 13);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) fail("cannot make an epoll set");
    connections_.resize(std::min(arguments.connections, arguments.requests));
    latencies_.reserve(arguments.requests);
    for (Connection& connection : connections_) open(connection);
  }

  void run() {
    started_ = Clock::now();
    for (Connection& connection : connections_) ask(connection);
    std::array<epoll_event, 256> events;
    while (latencies_.size() < arguments_.requests) {
      ask_those_due();
      const timespec longest = until_next_is_due();
      const int count =
          ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &longest, nullptr);
      if (count < 0) fail("cannot wait");
      if (count == 0 && pausing_.empty()) throw std::runtime_error("no answer for ten seconds");
      for (int i = 0; i < count; ++i) receive(*static_cast<Connection*>(events[i].data.ptr));
    }
    ended_ = Clock::now();
  }

  void report() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [this](double share) {
      return latencies_[static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1))];
    };
    std::cout << "{\"requests\": " << latencies_.size() << ", \"body_bytes\": " << body_bytes_
              << ", \"seconds\": " << std::chrono::duration<double>(ended_ - started_).count()
              << ", \"p50_us\": " << at(0.5) / 1000.0 << ", \"p99_us\": " << at(0.99) / 1000.0 << "}\n";
  }

 private:
  void open(Connection& connection) {
    connection.fd = connect_to(arguments_.port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) fail("cannot watch a socket");
  }

  void ask(Connection& connection) {
    if (asked_ == arguments_.requests) return;
    connection.target = asked_++ % requests_.size();
    const std::string& text = requests_[connection.target];
    connection.asked = Clock::now();
    send_all(connection.fd, text, body_.empty() ? 0 : MSG_MORE);
    if (body_.empty()) return;
    const std::string mark = arguments_.suffix + " " + std::to_string(asked_) + " ";
    body_.replace(0, std::min(mark.size(), body_.size()), mark, 0, std::min(mark.size(), body_.size()));
    send_all(connection.fd, body_, 0);
  }

  Clock::time_point due(const Connection& connection) const {
    return connection.asked + std::chrono::microseconds(arguments_.pause_us);
  }

  void ask_those_due() {
    const auto now = Clock::now();
    for (std::size_t i = pausing_.size(); i-- > 0;) {
      if (due(*pausing_[i]) > now) continue;
      Connection& connection = *pausing_[i];
      pausing_.erase(pausing_.begin() + static_cast<std::ptrdiff_t>(i));
      ask(connection);
    }
  }

  timespec until_next_is_due() const {
    constexpr std::int64_t k_second = 1'000'000'000;  // in nanoseconds
    std::int64_t longest = 10 * k_second;
    const auto now = Clock::now();
    for (const Connection* connection : pausing_)
      longest = std::min<std::int64_t>(longest, (due(*connection) - now).count());
    longest = std::max<std::int64_t>(longest, 0);
    return {longest / k_second, longest % k_second};
  }

  // In pieces: a kernel that does not preempt itself lets nobody else on this core before a call returns.
  static void send_all(int fd, std::string_view bytes, int flags) {
    constexpr std::size_t k_piece = 64 << 10;
    while (!bytes.empty()) {
      const auto sent = ::send(fd, bytes.data(), std::min(k_piece, bytes.size()), MSG_NOSIGNAL | flags);
      if (sent <= 0) fail("cannot send");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  void sync(const Connection& connection) const {
    const std::string file =
        stored_file(arguments_.sync_below, targets_[connection.target] + arguments_.suffix);
    sync_path(file);
    sync_path(file.substr(0, file.rfind('/')));
  }

  void receive(Connection& connection) {
    const auto count = ::recv(connection.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count < 0) fail("cannot receive");
    if (count == 0) throw std::runtime_error("the server closed a connection");
    take(connection, std::string_view(buffer_.data(), static_cast<std::size_t>(count)));
  }

  void take(Connection& connection, std::string_view bytes) {
    if (connection.body_left == 0) {
      bytes = take_head(connection, bytes);
      if (!connection.partial_head.empty()) return;
    }
    if (bytes.size() > connection.body_left) throw std::runtime_error("more than the answer arrived");
    connection.body_left -= bytes.size();
    body_bytes_ += bytes.size();
    if (connection.body_left > 0) return;
    if (!arguments_.sync_below.empty()) sync(connection);
    latencies_.push_back(static_cast<std::uint32_t>((Clock::now() - connection.asked).count()));
    if (arguments_.pause_us > 0)
      pausing_.push_back(&connection);
    else
      ask(connection);
  }

  // What follows the head. Until it is complete, partial_head is not empty.
  std::string_view take_head(Connection& connection, std::string_view bytes) {
    constexpr std::string_view k_end = "\r\n\r\n";
    std::string& partial = connection.partial_head;
    const std::size_t before = partial.size();
    if (before > 0 || bytes.find(k_end) == std::string_view::npos) partial.append(bytes);
    const std::string_view text = partial.empty() ? bytes : std::string_view(partial);
    const auto end = text.find(k_end);
    if (end == std::string_view::npos) return {};
    const ResponseHead head = parse_head(text.substr(0, end + k_end.size()));
    if (std::find(arguments_.expected.begin(), arguments_.expected.end(), head.status) ==
        arguments_.expected.end())
      throw std::runtime_error("an answer with the unexpected status " + std::to_string(head.status));
    connection.body_left = arguments_.method == "HEAD" ? 0 : head.content_length;
    bytes.remove_prefix(end + k_end.size() - before);
    partial.clear();
    return bytes;
  }

  const Arguments& arguments_;
  const std::vector<std::string> targets_;
  std::vector<std::string> requests_;
  std::string body_;
  int epoll_ = -1;
  std::vector<Connection> connections_;
  std::vector<char> buffer_ = std::vector<char>(256 << 10);
  std::vector<Connection*> pausing_;  // those that have their answer, and may not ask yet
  std::size_t asked_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::vector<std::uint32_t> latencies_;  // nanoseconds
  Clock::time_point started_;
  Clock::time_point ended_;
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Asks a server on this machine for a list of targets", "larder-bench-load");
  app.add_option("--port", arguments.port, "of the server, on 127.0.0.1")->required();
  app.add_option("--method", arguments.method, "HEAD, GET or PUT")->capture_default_str();
  app.add_option("--targets", arguments.targets_file, "a file of request targets, one a line")->required();
  app.add_option("--connections", arguments.connections, "each with one request in flight")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--requests", arguments.requests, "in all")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--expect", arguments.expected, "the statuses that answers may have")->capture_default_str();
  app.add_option("--suffix", arguments.suffix, "of every target");
  app.add_option("--body-size", arguments.body_size, "of every body that is sent, in bytes");
  app.add_option("--sync-below", arguments.sync_below,
                 "the directory that the server keeps its files in: each is synced, and its directory");
  app.add_option(
      "--pause", arguments.pause_us,
      "microseconds from one request of a connection to its next, at least; else it does not wait");
  CLI11_PARSE(app, argc, argv);
  try {
    Load load(arguments);
    load.run();
    load.report();
  } catch (const std::exception& error) {
    std::cerr << "larder-bench-load: " << error.what() << "\n";
    return 1;
  }
}
