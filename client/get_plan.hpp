// The decisions of a download that can be resumed, without socket or disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/digest.hpp"

namespace larder::client {

// The digest that an ETag of the server states: "\"<64 hex digits>\"". Nothing
// for other servers' tags, weak ones included.
std::optional<Digest> digest_of_etag(std::string_view etag);

// What is here already of the object that `etag` names.
struct Partial {
  std::uint64_t bytes = 0;
  std::string etag;

  bool can_resume() const { return bytes > 0 && !etag.empty(); }
};

// "Range: bytes=N-" and "If-Range: ETAG", so that a server with other bytes sends
// the whole instead of a splice. Nothing to say for a fresh start.
std::vector<std::string> resume_headers(const Partial& partial);

enum class GetStep {
  append,     // 206, and from where the partial ends
  restart,    // 200: the whole, whatever is here
  compare,    // 416: perhaps all of it is here already
  not_there,  // 404, 410
  refused,    // everything else
};

GetStep get_step(const Partial& partial, int status, std::string_view content_range);

// The file next to `output` that a download grows in. Not the name with a suffix:
// names can have 254 bytes. The same object finds its own partial again.
std::string partial_name(std::string_view url);

}  // namespace larder::client
