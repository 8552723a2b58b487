#include "common/prune_api.hpp"

#include <functional>

#include "common/json_fields.hpp"

namespace larder::api {
namespace {

namespace json = boost::json;
using namespace json_fields;

// One member of the rules: how it is read and written. Reading is false for another type.
struct Member {
  std::function<bool(PruneRules&, const json::value&)> read;
  std::function<json::value(const PruneRules&)> write;  // null: left out
};

bool read(const json::value& value, bool& field) {
  if (value.is_bool()) field = value.get_bool();
  return value.is_bool();
}
bool read(const json::value& value, std::string& field) {
  if (value.is_string()) field = view(value.get_string());
  return value.is_string();
}
bool read(const json::value& value, std::int64_t& field) {
  json::error_code failure;
  if (value.is_int64() || value.is_uint64()) field = value.to_number<std::int64_t>(failure);
  return (value.is_int64() || value.is_uint64()) && !failure && field >= 0;
}
bool read(const json::value& value, std::uint64_t& field) {
  json::error_code failure;
  if (value.is_int64() || value.is_uint64()) field = value.to_number<std::uint64_t>(failure);
  return (value.is_int64() || value.is_uint64()) && !failure;
}
template <typename T>
bool read(const json::value& value, std::optional<T>& field) {
  T number{};
  if (!read(value, number)) return false;
  field = number;
  return true;
}
bool read(const json::value& value, std::vector<std::string>& field) {
  if (!value.is_array()) return false;
  for (const json::value& each : value.get_array()) {
    if (!each.is_string()) return false;
    field.emplace_back(view(each.get_string()));
  }
  return true;
}

json::value write(bool field) {
  return field ? json::value(true) : json::value();
}
json::value write(const std::string& field) {
  return field.empty() ? json::value() : json::value(field);
}
json::value write(std::uint64_t field) {
  return field == 0 ? json::value() : json::value(field);
}
template <typename T>
json::value write(const std::optional<T>& field) {
  return field ? json::value(*field) : json::value();
}
json::value write(const std::vector<std::string>& field) {
  if (field.empty()) return {};
  json::array array;
  for (const std::string& each : field) array.emplace_back(each);
  return array;
}

template <typename Field>
Member member(Field PruneRules::*field) {
  return {[field](PruneRules& rules, const json::value& value) { return read(value, rules.*field); },
          [field](const PruneRules& rules) { return write(rules.*field); }};
}

const std::map<std::string, Member, std::less<>>& members() {
  using R = PruneRules;
  static const std::map<std::string, Member, std::less<>> k_members = {
      {"namespace", member(&R::name_space)},
      {"unused_for", member(&R::unused_for)},
      {"older_than", member(&R::older_than)},
      {"newest", member(&R::newest)},
      {"max_size", member(&R::max_size)},
      {"match", member(&R::match)},
      {"recipes", member(&R::recipes)},
      {"architectures", member(&R::architectures)},
      {"tasks", member(&R::tasks)},
      {"versions", member(&R::versions)},
      {"uploaders", member(&R::uploaders)},
      {"uploaded_since", member(&R::uploaded_since)},
      {"not_in_snapshot", member(&R::not_in_snapshot)},
      {"keep_hashes", member(&R::keep_hashes)},
      {"keep_names", member(&R::keep_names)},
      {"keep_siginfo", member(&R::keep_siginfo)},
      {"ignore_lease", member(&R::ignore_lease)},
      {"apply", member(&R::apply)},
      {"list", member(&R::list)},
      {"no_trash", member(&R::no_trash)},
      {"rate", member(&R::rate)},
      {"why", member(&R::why)},
  };
  return k_members;
}

json::object to_value(const PruneSum& sum) {
  return {{"groups", sum.groups}, {"names", sum.names}, {"bytes", sum.bytes}, {"freed", sum.freed}};
}

PruneSum sum_of(const json::object& object) {
  PruneSum sum;
  sum.groups = number_at<std::uint64_t>(object, "groups");
  sum.names = number_at<std::uint64_t>(object, "names");
  sum.bytes = number_at<std::uint64_t>(object, "bytes");
  sum.freed = number_at<std::uint64_t>(object, "freed");
  return sum;
}

}  // namespace

Result<PruneRules> prune_rules_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "list of rules"));
  PruneRules rules;
  for (const auto& [name, value] : object) {
    const auto found = members().find(view(name));
    if (found == members().end())
      return Error(Errc::invalid_argument, "no rule is called '" + std::string(view(name)) + "'");
    if (!found->second.read(rules, value))
      return Error(Errc::invalid_argument,
                   "the rule '" + std::string(view(name)) + "' has a value of the wrong kind");
  }
  return rules;
}

std::string to_json(const PruneRules& rules) {
  json::object object;
  for (const auto& [name, each] : members()) {
    json::value value = each.write(rules);
    if (!value.is_null()) object[name] = std::move(value);
  }
  return json::serialize(object);
}

bool selects_something(const PruneRules& rules) {
  return rules.unused_for || rules.older_than || rules.newest || rules.max_size || !rules.match.empty() ||
         !rules.recipes.empty() || !rules.architectures.empty() || !rules.tasks.empty() ||
         !rules.versions.empty() || !rules.uploaders.empty() || rules.uploaded_since ||
         rules.not_in_snapshot || !rules.keep_hashes.empty() || !rules.keep_names.empty();
}

std::string to_json(const PruneEvent& event) {
  if (!event.path.empty())
    return json::serialize(json::object{
        {"path", event.path}, {"reason", event.reason}, {"size", event.size}, {"last_use", event.last_use}});
  json::object by_reason;
  for (const auto& [reason, sum] : event.by_reason) by_reason[reason] = to_value(sum);
  json::object kept;
  for (const auto& [reason, groups] : event.kept) kept[reason] = groups;
  return json::serialize(json::object{{"by_reason", std::move(by_reason)},
                                      {"kept", std::move(kept)},
                                      {"considered", event.considered},
                                      {"removed", to_value(event.removed)},
                                      {"changed", event.changed},
                                      {"generation", event.generation},
                                      {"done", event.done}});
}

Result<PruneEvent> prune_event_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "prune event"));
  PruneEvent event;
  event.path = text_at(object, "path");
  event.reason = text_at(object, "reason");
  event.size = number_at<std::uint64_t>(object, "size");
  event.last_use = number_at<std::int64_t>(object, "last_use");
  for (const auto& [reason, value] : object_at(object, "by_reason")) {
    if (value.is_object()) event.by_reason[std::string(view(reason))] = sum_of(value.get_object());
  }
  const json::object& kept = object_at(object, "kept");
  for (const auto& [reason, value] : kept)
    event.kept[std::string(view(reason))] = number_at<std::uint64_t>(kept, reason);
  event.considered = number_at<std::uint64_t>(object, "considered");
  event.removed = sum_of(object_at(object, "removed"));
  event.changed = number_at<std::uint64_t>(object, "changed");
  event.generation = number_at<std::uint64_t>(object, "generation");
  event.done = flag_at(object, "done");
  return event;
}

std::string to_json(const TrashGeneration& generation) {
  return json::serialize(json::object{{"generation", generation.generation},
                                      {"removed", generation.removed},
                                      {"actor", generation.actor},
                                      {"why", generation.why},
                                      {"names", generation.names},
                                      {"bytes", generation.bytes},
                                      {"first", generation.first}});
}

Result<TrashGeneration> trash_generation_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "trash generation"));
  TrashGeneration generation;
  generation.generation = number_at<std::uint64_t>(object, "generation");
  generation.removed = number_at<std::int64_t>(object, "removed");
  generation.actor = text_at(object, "actor");
  generation.why = text_at(object, "why");
  generation.names = number_at<std::uint64_t>(object, "names");
  generation.bytes = number_at<std::uint64_t>(object, "bytes");
  generation.first = text_at(object, "first");
  return generation;
}

std::string to_json(const TrashEvent& event) {
  return json::serialize(json::object{{"names", event.names},
                                      {"bytes", event.bytes},
                                      {"freed", event.freed},
                                      {"refused", event.refused},
                                      {"generation", event.generation}});
}

Result<TrashEvent> trash_event_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "answer"));
  TrashEvent event;
  event.names = number_at<std::uint64_t>(object, "names");
  event.bytes = number_at<std::uint64_t>(object, "bytes");
  event.freed = number_at<std::uint64_t>(object, "freed");
  event.refused = number_at<std::uint64_t>(object, "refused");
  event.generation = number_at<std::uint64_t>(object, "generation");
  return event;
}

}  // namespace larder::api
