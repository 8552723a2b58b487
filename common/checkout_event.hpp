// How a checkout goes, as the server tells it: one line of JSON each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace larder::api {

// POST ?namespace=NS&directory=/ABSOLUTE[&mode=link|reflink|copy][&update=1][&delete=1]: a view of
// a namespace ("@SNAPSHOT/NS" of a frozen one) in a directory of the daemon's machine.
// Answer: CheckoutEvents (ndjson).
inline constexpr std::string_view k_checkout = "/-/v1/checkout";

// One per file that needs saying, one with counts now and then, and a last one with `done`.
struct CheckoutEvent {
  std::string path;     // relative to the directory; empty in count lines
  std::string outcome;  // copied (instead of linked), skipped, differs, failed; empty in count lines
  std::string reason;
  std::uint64_t linked = 0;   // hard links or reflinks
  std::uint64_t copied = 0;   // asked for, or because an object can take no further link
  std::uint64_t present = 0;  // were there already
  std::uint64_t removed = 0;
  std::uint64_t failed = 0;        // files that differ included
  std::uint64_t bytes = 0;         // of all that the view now holds
  std::uint64_t copied_bytes = 0;  // that took space of their own
  bool done = false;
};

std::string to_json(const CheckoutEvent& event);
Result<CheckoutEvent> checkout_event_from_json(std::string_view json);

}  // namespace larder::api
