#include "common/promote_api.hpp"

#include "common/json_fields.hpp"

namespace larder::api {
namespace {

namespace json = boost::json;
using namespace json_fields;

json::array to_array(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& each : texts) array.emplace_back(each);
  return array;
}

bool read(const json::value& value, std::vector<std::string>& texts) {
  if (!value.is_array()) return false;
  for (const json::value& each : value.get_array()) {
    if (!each.is_string()) return false;
    texts.emplace_back(view(each.get_string()));
  }
  return true;
}

bool read(const json::value& value, std::string& text) {
  if (value.is_string()) text = view(value.get_string());
  return value.is_string();
}

bool read(const json::value& value, bool& flag) {
  if (value.is_bool()) flag = value.get_bool();
  return value.is_bool();
}

bool read(const json::value& value, std::optional<std::int64_t>& number) {
  json::error_code failure;
  if (!value.is_int64() && !value.is_uint64()) return false;
  number = value.to_number<std::int64_t>(failure);
  return !failure && *number >= 0;
}

bool read_member(PromoteRules& rules, std::string_view name, const json::value& value) {
  if (name == "lane") return read(value, rules.lane);
  if (name == "match") return read(value, rules.match);
  if (name == "uploaders") return read(value, rules.uploaders);
  if (name == "since") return read(value, rules.since);
  if (name == "build") return read(value, rules.build);
  if (name == "apply") return read(value, rules.apply);
  if (name == "list") return read(value, rules.list);
  return false;
}

}  // namespace

std::string to_json(const PromoteRules& rules) {
  json::object object = {{"lane", rules.lane}};
  if (!rules.match.empty()) object["match"] = to_array(rules.match);
  if (!rules.uploaders.empty()) object["uploaders"] = to_array(rules.uploaders);
  if (rules.since) object["since"] = *rules.since;
  if (!rules.build.empty()) object["build"] = rules.build;
  if (rules.apply) object["apply"] = true;
  if (rules.list) object["list"] = true;
  return json::serialize(object);
}

Result<PromoteRules> promote_rules_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "promotion"));
  PromoteRules rules;
  for (const auto& member : object) {
    const std::string_view name = view(member.key());
    if (!read_member(rules, name, member.value()))
      return Error(Errc::invalid_argument, "a promotion has no '" + std::string(name) + "' like this");
  }
  if (rules.lane.empty()) return Error(Errc::invalid_argument, "a promotion needs its lane");
  return rules;
}

std::string to_json(const PromoteEvent& event) {
  json::object object;
  if (!event.path.empty()) {
    object = {{"path", event.path}, {"outcome", event.outcome}, {"size", event.size}};
    if (!event.reason.empty()) object["reason"] = event.reason;
    return json::serialize(object);
  }
  object = {{"promoted", event.promoted},   {"bytes", event.bytes}, {"present", event.present},
            {"conflicts", event.conflicts}, {"held", event.held},   {"namespace", event.name_space}};
  if (event.done) object["done"] = true;
  return json::serialize(object);
}

Result<PromoteEvent> promote_event_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "promotion's line"));
  PromoteEvent event;
  event.path = text_at(object, "path");
  event.outcome = text_at(object, "outcome");
  event.reason = text_at(object, "reason");
  event.size = count_at(object, "size");
  event.promoted = count_at(object, "promoted");
  event.bytes = count_at(object, "bytes");
  event.present = count_at(object, "present");
  event.conflicts = count_at(object, "conflicts");
  event.held = count_at(object, "held");
  event.name_space = text_at(object, "namespace");
  event.done = flag_at(object, "done");
  return event;
}

}  // namespace larder::api
