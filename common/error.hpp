// What went wrong, on which thing, doing what. Built once, next to the call
// that failed, while errno is fresh. Front ends translate the code to a status;
// people read message().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace larder {

enum class Errc : std::uint8_t {
  not_found,         // no such name; never worth a log line
  exists,            // create-only, and something is there already
  conflict,          // the name holds other bytes and may not change
  precondition,      // If-Match, If-None-Match and the like do not hold
  invalid_name,      // the name itself can never be stored
  invalid_argument,  // anything else a caller got wrong
  digest_mismatch,   // the bytes are not the ones that were declared
  too_large,         // over the limit for one object
  no_space,          // the disk or the quota is full
  too_many_links,    // EMLINK: this inode can take no further name
  not_supported,     // this file system or build cannot do it
  forbidden,         // known who asks, and they may not
  corrupt,           // stored data does not read back as it was written
  busy,              // try again later: another process, a full queue
  cancelled,         // the caller, or a shutdown, ended it
  io,                // everything else the operating system reports
};

std::string_view name_of(Errc code);

class [[nodiscard]] Error {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  Errc code() const { return code_; }
  const std::string& message() const { return message_; }  // "cannot link a: No space left on device"

  // The same error seen from further out: "while <doing>: <message>".
  Error within(std::string_view doing) const;

 private:
  Errc code_;
  std::string message_;
};

// "cannot <operation> <subject>: <strerror>", with the code that errno stands for.
Error posix_error(std::string_view operation, std::string_view subject, int error_number);

}  // namespace larder
