// A blocking HTTP client that does just what a test says, byte for byte.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace larder {

struct HttpAnswer {
  int status = 0;                             // 0: the connection ended before an answer
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;
};

// One connection to 127.0.0.1. Everything has a deadline of ten seconds.
class HttpClient {
 public:
  // receive_buffer: bytes, as far as the system goes along; 0: as usual.
  explicit HttpClient(std::uint16_t port, int receive_buffer = 0);
  virtual ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void send(std::string_view bytes);
  HttpAnswer receive(bool head = false);  // one answer; of a HEAD: without a body
  bool ended();                           // the server closes (or has closed) the connection

  // A whole request on this connection.
  HttpAnswer request(std::string_view method, std::string_view target, std::string_view fields = {},
                     std::string_view body = {});

  void finish_sending();                   // the end of the connection, one way
  void put_plain(std::string_view bytes);  // past TLS, where there is any
  // Ends the connection at once, as when the client is killed.
  void drop();

 protected:
  int socket() const { return socket_; }
  // As send() and recv(); a receive that waits for more than ten seconds fails.
  virtual long put(const char* bytes, std::size_t count);
  virtual long take(char* into, std::size_t room);

 private:
  bool fill();

  int socket_ = -1;
  std::string received_;
};

}  // namespace larder
