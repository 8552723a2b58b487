#include "common/checkout_event.hpp"

#include "common/json_fields.hpp"

namespace larder::api {

using json_fields::count_at;
using json_fields::flag_at;
using json_fields::text_at;

std::string to_json(const CheckoutEvent& event) {
  boost::json::object object = {{"linked", event.linked},
                                {"copied", event.copied},
                                {"present", event.present},
                                {"removed", event.removed},
                                {"failed", event.failed},
                                {"bytes", event.bytes},
                                {"copied_bytes", event.copied_bytes},
                                {"done", event.done}};
  if (!event.path.empty()) object["path"] = event.path;
  if (!event.outcome.empty()) object["outcome"] = event.outcome;
  if (!event.reason.empty()) object["reason"] = event.reason;
  return boost::json::serialize(object);
}

Result<CheckoutEvent> checkout_event_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const auto object, json_fields::parse_object(text, "checkout event"));
  CheckoutEvent event;
  event.path = text_at(object, "path");
  event.outcome = text_at(object, "outcome");
  event.reason = text_at(object, "reason");
  event.linked = count_at(object, "linked");
  event.copied = count_at(object, "copied");
  event.present = count_at(object, "present");
  event.removed = count_at(object, "removed");
  event.failed = count_at(object, "failed");
  event.bytes = count_at(object, "bytes");
  event.copied_bytes = count_at(object, "copied_bytes");
  event.done = flag_at(object, "done");
  return event;
}

}  // namespace larder::api
