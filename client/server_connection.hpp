// A kept connection to the server: requests out, answers in. Use from one thread
// at a time; several threads have one each.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/server_url.hpp"
#include "common/api.hpp"
#include "common/result.hpp"

namespace larder::client {

// The head of an answer; header names are lower case.
struct AnswerHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;

  std::string header(std::string_view lower_case_name) const;  // empty when absent
};

struct Answer {
  AnswerHead head;
  std::string body;  // empty when a sink took it

  int status() const { return head.status; }
  bool ok() const { return head.status >= 200 && head.status < 300; }
};

// Bytes of a file to send: `size` of them, from its start. The caller keeps it open.
struct FileBody {
  int descriptor = -1;
  std::uint64_t size = 0;
  std::function<void(std::uint64_t)> on_sent;  // bytes that went out since the last call
};

struct Request {
  std::string method = "GET";
  std::string target;                // encoded, from the first slash on: "/sstate-cache/a%3Ab"
  std::vector<std::string> headers;  // "Accept: application/json"
  std::optional<std::string> text;   // what to send, or …
  std::optional<FileBody> file;      // … this
  // Takes the body of a 2xx answer in pieces; false ends the transfer. Without
  // it the body is collected.
  std::function<bool(const AnswerHead&, std::string_view)> sink;
  bool unpack = false;  // lets the answer come compressed; it is handed over as text
  // How long nothing may arrive or leave; 0: for ever.
  std::chrono::seconds stall_timeout{120};
};

class ServerConnection {
 public:
  explicit ServerConnection(const ServerUrl& server);
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  const ServerUrl& server() const { return server_; }

  // Any status is an answer. Errors: busy (no connection, or it broke: worth
  // another try), cancelled (an interrupt, or the sink said stop), io (the rest).
  Result<Answer> perform(const Request& request);

  // perform(), tried again while the trouble is of the passing kind, for up to
  // `patience`. `on_trouble` hears each reason. Not for requests with a sink.
  Result<Answer> perform_patiently(const Request& request, std::chrono::milliseconds patience,
                                   const std::function<void(const std::string&)>& on_trouble = {});

 private:
  struct Exchange;
  struct Handle;

  std::unique_ptr<Handle> handle_;
  ServerUrl server_;
};

// What an answer that is no success says, for people: the server's own words
// where it sent a problem document, the status otherwise.
api::Problem problem_of(const Answer& answer);
std::string describe_refusal(const Answer& answer);

}  // namespace larder::client
