// What an answer says, and its header's bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/api.hpp"
#include "common/clock.hpp"
#include "common/digest.hpp"
#include "common/error.hpp"
#include "server/http/request_parser.hpp"

namespace larder::http {

inline constexpr std::string_view k_no_body;

struct Reply {
  Reply() = default;
  explicit Reply(int status_code) : status(status_code) {}

  int status = 200;
  std::string_view content_type;                // empty: none is said
  std::optional<std::uint64_t> content_length;  // nothing: chunked, or no body is possible (1xx, 204, 304)
  bool chunked = false;
  std::string etag;  // without quotes; empty: none
  std::optional<UnixSeconds> last_modified;
  bool accept_ranges = false;
  std::string content_range;
  std::string extra;  // further complete lines, "Allow: GET\r\n"
};

enum class KeepAlive { yes, no };

std::string_view reason_phrase(int status);

// Appends status line and fields up to and with the empty line. `date` is the
// value of the Date field. An HTTP/1.0 client that keeps the connection is told so.
void append_head(std::string& out, const Reply& reply, int version, KeepAlive keep_alive,
                 std::string_view date);

// What most requests are answered with, in one go: the same bytes as append_head() makes of a 200
// with everything that is known of an artifact, and of a 404 with this body.
struct ArtifactHead {
  Digest digest;
  std::uint64_t size = 0;
  UnixSeconds stored = 0;
};
void append_artifact_head(std::string& out, const ArtifactHead& artifact, int version, KeepAlive keep_alive,
                          std::string_view date);
inline constexpr std::string_view k_missing = "not here\n";
void append_missing(std::string& out, Method method, int version, KeepAlive keep_alive,
                    std::string_view date);

// The one place where a code becomes a status.
int status_of(Errc code);

// The problem details of a refusal.
api::Problem problem_of(const Error& error);

}  // namespace larder::http
