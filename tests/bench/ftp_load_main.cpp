// larder-bench-ftp-load: holds FTP sessions with a server on this machine, the way
// BitBake checks for objects and wget fetches them, a number of them at a time, each
// in a thread that waits. Every reply has to have the code that it should have.
// Prints one line of JSON.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

enum class Kind : std::uint8_t { check_hit, check_miss, check_nodir, get };

const std::map<std::string, Kind> k_kinds = {{"check-hit", Kind::check_hit},
                                             {"check-miss", Kind::check_miss},
                                             {"check-nodir", Kind::check_nodir},
                                             {"get", Kind::get}};

struct Arguments {
  std::uint16_t port = 0;
  Kind kind = Kind::get;
  std::string paths_file;
  std::size_t concurrency = 16;
  std::size_t sessions = 1000;
};

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// "/a/b/c" is the name c in the directory a/b.
struct Path {
  std::string directory;
  std::string name;
};

std::vector<Path> read_paths(const std::string& file_name) {
  std::ifstream file(file_name);
  std::vector<Path> paths;
  for (std::string line; std::getline(file, line);) {
    const auto slash = line.rfind('/');
    if (!line.starts_with('/') || slash == 0) throw std::runtime_error("not a path in a directory: " + line);
    paths.push_back({line.substr(1, slash - 1), line.substr(slash + 1)});
  }
  if (paths.empty()) throw std::runtime_error("no paths in " + file_name);
  return paths;
}

class Stream {
 public:
  explicit Stream(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) fail("cannot make a socket");
    const timeval patience{30, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
    const int error = errno;
    ::close(fd_);
    errno = error;
    fail("cannot connect to port " + std::to_string(port));
  }
  ~Stream() { ::close(fd_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void send(std::string_view text) const {
    if (::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
      fail("cannot send");
  }

  std::string_view receive(std::array<char, 4096>& buffer) const {
    const ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (count < 0) fail("cannot receive");
    if (count == 0) throw std::runtime_error("the server closed a control connection");
    return {buffer.data(), static_cast<std::size_t>(count)};
  }

  // Reads to the end and returns how much that was. The bytes are left in the kernel:
  // copying them would make this end the slower one.
  std::uint64_t drain() const {
    constexpr std::size_t k_piece = 1 << 20;
    std::uint64_t bytes = 0;
    for (ssize_t count = 1; count > 0; bytes += static_cast<std::uint64_t>(std::max<ssize_t>(count, 0))) {
      count = ::recv(fd_, nullptr, k_piece, MSG_TRUNC);
      if (count < 0) fail("cannot receive data");
    }
    return bytes;
  }

 private:
  int fd_;
};

struct Reply {
  int code = 0;
  std::string text;  // the last line, without the code
};

class Control {
 public:
  explicit Control(std::uint16_t port) : stream_(port) { expect("the connection", read_reply(), 220); }

  Reply ask(const std::string& command) {
    stream_.send(command + "\r\n");
    return read_reply();
  }

  std::string ask(const std::string& command, int code) { return expect(command, ask(command), code).text; }

  // A transfer's second reply.
  void wait_for(int code) { expect("the transfer", read_reply(), code); }

  // BitBake and wget send PASS only when they are asked to.
  void log_in() {
    const Reply reply = ask("USER anonymous");
    if (reply.code == 331)
      ask("PASS anonymous@", 230);
    else
      expect("USER anonymous", reply, 230);
  }

  // The port that the server opens for data: "… (127,0,0,1,p1,p2)".
  std::uint16_t passive_port() {
    const std::string text = ask("PASV", 227);
    std::array<unsigned, 6> numbers{};
    const char* at = text.data() + text.find('(') + 1;
    const char* const end = text.data() + text.size();
    for (unsigned& number : numbers) {
      const auto [stop, error] = std::from_chars(at, end, number);
      if (error != std::errc() || stop == end) throw std::runtime_error("not a reply to PASV: " + text);
      at = stop + 1;
    }
    return static_cast<std::uint16_t>(numbers[4] * 256 + numbers[5]);
  }

 private:
  static Reply expect(const std::string& what, Reply reply, int code) {
    if (reply.code == code) return reply;
    throw std::runtime_error("to " + what + " the server said " + std::to_string(reply.code) + " " +
                             reply.text);
  }

  std::string read_line() {
    for (auto end = input_.find("\r\n");; end = input_.find("\r\n")) {
      if (end != std::string::npos) {
        std::string line = input_.substr(0, end);
        input_.erase(0, end + 2);
        return line;
      }
      input_ += stream_.receive(buffer_);
    }
  }

  // Lines of a long reply come before the one that has a space behind its code.
  Reply read_reply() {
    constexpr std::size_t k_digits = 3;
    Reply reply;
    while (true) {
      const std::string line = read_line();
      if (line.size() <= k_digits || line[k_digits] != ' ') continue;
      const auto [end, error] = std::from_chars(line.data(), line.data() + k_digits, reply.code);
      if (error != std::errc() || end != line.data() + k_digits) continue;
      reply.text = line.substr(k_digits + 1);
      return reply;
    }
  }

  Stream stream_;
  std::string input_;
  std::array<char, 4096> buffer_;
};

// BitBake's checks, which leave without QUIT ---------------------------------

void check_hit(Control& control, const Path& path) {
  control.ask("CWD " + path.directory, 250);
  control.ask("TYPE I", 200);
  const Stream data(control.passive_port());
  control.ask("RETR " + path.name, 150);
}

void check_miss(Control& control, const Path& path) {
  control.ask("CWD " + path.directory, 250);
  control.ask("TYPE I", 200);
  {
    const Stream data(control.passive_port());
    control.ask("RETR " + path.name, 550);
  }
  // Python's urllib looks whether it is a directory then, and goes back to where it was.
  control.ask("TYPE A", 200);
  control.ask("PWD", 257);
  control.ask("CWD " + path.name, 550);
  control.ask("CWD /" + path.directory, 250);
}

void check_nodir(Control& control, const Path& path) {
  control.ask("CWD " + path.directory, 550);
}

// Closes the data connection before the last reply is read, as wget and curl do. vsftpd
// waits for that, and a client that did not would see its own delayed ACKs, 40 ms each.
std::uint64_t fetch(Control& control, const Path& path) {
  const Stream data(control.passive_port());
  control.ask("RETR " + path.name, 150);
  return data.drain();
}

// What wget says. Returns the bytes that came.
std::uint64_t get(Control& control, const Path& path) {
  control.ask("SYST", 215);
  control.ask("PWD", 257);
  control.ask("TYPE I", 200);
  control.ask("CWD /" + path.directory, 250);
  const std::string size = control.ask("SIZE " + path.name, 213);
  const std::uint64_t bytes = fetch(control, path);
  control.wait_for(226);
  if (std::to_string(bytes) != size)
    throw std::runtime_error(path.name + " has " + size + " bytes, but " + std::to_string(bytes) + " came");
  return bytes;
}

class Load {
 public:
  explicit Load(const Arguments& arguments)
      : arguments_(arguments), paths_(read_paths(arguments.paths_file)), latencies_(arguments.sessions) {}

  void run() {
    const auto started = Clock::now();
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < arguments_.concurrency; ++i) threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads) thread.join();
    seconds_ = std::chrono::duration<double>(Clock::now() - started).count();
    if (failure_) std::rethrow_exception(failure_);
  }

  void report() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [this](double share) {
      return latencies_[static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1))];
    };
    std::cout << "{\"sessions\": " << latencies_.size() << ", \"bytes\": " << bytes_
              << ", \"seconds\": " << seconds_ << ", \"p50_us\": " << at(0.5) << ", \"p99_us\": " << at(0.99)
              << "}\n";
  }

 private:
  void work() {
    try {
      for (std::size_t number = next_++; number < arguments_.sessions; number = next_++) {
        const auto began = Clock::now();
        bytes_ += hold_session(paths_[number % paths_.size()]);
        latencies_[number] = std::chrono::duration<double, std::micro>(Clock::now() - began).count();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      next_ = arguments_.sessions;
    }
  }

  std::uint64_t hold_session(const Path& path) const {
    Control control(arguments_.port);
    control.log_in();
    switch (arguments_.kind) {
      case Kind::check_hit: check_hit(control, path); return 0;
      case Kind::check_miss: check_miss(control, path); return 0;
      case Kind::check_nodir: check_nodir(control, path); return 0;
      case Kind::get: return get(control, path);
    }
    return 0;
  }

  const Arguments& arguments_;
  const std::vector<Path> paths_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::vector<double> latencies_;  // microseconds, one for each session
  double seconds_ = 0;
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Holds FTP sessions with a server on this machine", "larder-bench-ftp-load");
  app.add_option("--port", arguments.port, "of the server, on 127.0.0.1")->required();
  app.add_option("--kind", arguments.kind, "check-hit, check-miss, check-nodir or get")
      ->required()
      ->transform(CLI::CheckedTransformer(k_kinds));
  app.add_option("--paths", arguments.paths_file, "a file of absolute paths, one a line")->required();
  app.add_option("--concurrency", arguments.concurrency, "sessions at a time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--sessions", arguments.sessions, "in all")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    Load load(arguments);
    load.run();
    load.report();
  } catch (const std::exception& error) {
    std::cerr << "larder-bench-ftp-load: " << error.what() << "\n";
    return 1;
  }
}
