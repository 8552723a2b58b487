// larder-bench-tls-load: asks a server on this machine for a list of targets over TLS,
// on connections that are kept or with a full handshake for each request. A thread a
// connection: what is measured is the server's CPU time. Prints one line of JSON.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Arguments {
  std::uint16_t port = 0;
  std::string method = "GET";
  std::string targets_file;
  std::size_t connections = 64;
  std::size_t requests = 100000;
  std::vector<int> expected = {200};
  bool fresh = false;  // a connection for each request
};

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

class Connection {
 public:
  Connection(SSL_CTX* context, std::uint16_t port)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), ssl_(SSL_new(context), &SSL_free) {
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect");
    SSL_set_fd(ssl_.get(), socket_);
    if (SSL_connect(ssl_.get()) != 1) throw std::runtime_error("the handshake failed");
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The status; `body` bytes are added up.
  int ask(std::string_view request, bool head, std::uint64_t& body) {
    if (SSL_write(ssl_.get(), request.data(), static_cast<int>(request.size())) <= 0)
      throw std::runtime_error("cannot send");
    std::string text;
    std::size_t end = std::string::npos;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) text.append(buffer_.data(), receive());
    const std::uint64_t length = head ? 0 : content_length(std::string_view(text).substr(0, end + 2));
    std::uint64_t there = text.size() - end - 4;
    while (there < length) there += receive();
    body += length;
    return std::stoi(text.substr(9, 3));
  }

 private:
  std::size_t receive() {
    const int count = SSL_read(ssl_.get(), buffer_.data(), static_cast<int>(buffer_.size()));
    if (count <= 0) throw std::runtime_error("the server closed a connection");
    return static_cast<std::size_t>(count);
  }
  static std::uint64_t content_length(std::string_view fields) {
    constexpr std::string_view k_name = "\r\nContent-Length: ";
    const auto at = fields.find(k_name);
    if (at == std::string_view::npos) throw std::runtime_error("an answer without Content-Length");
    std::uint64_t length = 0;
    std::from_chars(fields.data() + at + k_name.size(), fields.data() + fields.size(), length);
    return length;
  }

  int socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  std::vector<char> buffer_ = std::vector<char>(64 << 10);
};

class Load {
 public:
  explicit Load(const Arguments& arguments) : arguments_(arguments) {
    std::ifstream file(arguments.targets_file);
    for (std::string line; std::getline(file, line);)
      requests_.push_back(
          arguments.method + " " + line +
          " HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: bitbake/2.19.0\r\n\r\n");
    if (requests_.empty()) throw std::runtime_error("no targets in " + arguments.targets_file);
  }

  void run() {
    const auto started = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < arguments_.connections; ++i) threads.emplace_back([this] { work(); });
    for (std::thread& each : threads) each.join();
    if (failed_) throw std::runtime_error("a request failed");
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
    std::cout << "{\"requests\": " << arguments_.requests << ", \"body_bytes\": " << body_bytes_
              << ", \"seconds\": " << taken.count() << "}\n";
  }

 private:
  void work() {
    try {
      std::unique_ptr<Connection> connection;
      for (std::size_t i = next_++; i < arguments_.requests; i = next_++) {
        if (!connection || arguments_.fresh)
          connection = std::make_unique<Connection>(context_.get(), arguments_.port);
        std::uint64_t body = 0;
        const int status =
            connection->ask(requests_[i % requests_.size()], arguments_.method == "HEAD", body);
        const auto& expected = arguments_.expected;
        if (std::find(expected.begin(), expected.end(), status) == expected.end())
          throw std::runtime_error("an answer with the unexpected status " + std::to_string(status));
        body_bytes_ += body;
      }
    } catch (const std::exception& error) {
      if (!failed_.exchange(true)) std::cerr << "larder-bench-tls-load: " << error.what() << "\n";
    }
  }

  const Arguments& arguments_;
  std::vector<std::string> requests_;
  Context context_{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint64_t> body_bytes_{0};
  std::atomic<bool> failed_{false};
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Asks a server on this machine for a list of targets over TLS", "larder-bench-tls-load");
  app.add_option("--port", arguments.port, "of the server, on 127.0.0.1")->required();
  app.add_option("--method", arguments.method, "HEAD or GET")->capture_default_str();
  app.add_option("--targets", arguments.targets_file, "a file of request targets, one a line")->required();
  app.add_option("--connections", arguments.connections, "each with one request in flight")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--requests", arguments.requests, "in all")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--expect", arguments.expected, "the statuses that answers may have")->capture_default_str();
  app.add_flag("--fresh", arguments.fresh, "A connection with a full handshake for each request");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    Load(arguments).run();
  } catch (const std::exception& error) {
    std::cerr << "larder-bench-tls-load: " << error.what() << "\n";
    return 1;
  }
}
