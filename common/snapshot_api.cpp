#include "common/snapshot_api.hpp"

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

Result<void> read_texts(const json::value& value, std::vector<std::string>& into) {
  if (!value.is_array()) return Error(Errc::invalid_argument, "a snapshot is asked for with lists of texts");
  for (const json::value& each : value.get_array()) {
    if (!each.is_string())
      return Error(Errc::invalid_argument, "a snapshot is asked for with lists of texts");
    into.emplace_back(view(each.get_string()));
  }
  return {};
}

}  // namespace

std::string to_json(const SnapshotRequest& request) {
  return json::serialize(json::object{{"name", request.name},
                                      {"namespaces", to_array(request.namespaces)},
                                      {"names", to_array(request.names)},
                                      {"hashes", to_array(request.hashes)}});
}

Result<SnapshotRequest> snapshot_request_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "request for a snapshot"));
  SnapshotRequest request;
  for (const auto& [name, value] : object) {
    if (name == "name" && value.is_string())
      request.name = view(value.get_string());
    else if (name == "namespaces")
      LARDER_TRY(read_texts(value, request.namespaces));
    else if (name == "names")
      LARDER_TRY(read_texts(value, request.names));
    else if (name == "hashes")
      LARDER_TRY(read_texts(value, request.hashes));
    else
      return Error(Errc::invalid_argument, "a snapshot knows no '" + std::string(view(name)) + "' like this");
  }
  return request;
}

std::string to_json(const SnapshotStat& stat) {
  json::array namespaces;
  for (const SnapshotStat::Space& each : stat.namespaces)
    namespaces.push_back(
        json::object{{"name", each.name}, {"artifacts", each.artifacts}, {"bytes", each.bytes}});
  return json::serialize(json::object{{"name", stat.name},
                                      {"created", stat.created},
                                      {"namespaces", std::move(namespaces)},
                                      {"missing", stat.missing}});
}

Result<SnapshotStat> snapshot_stat_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "snapshot"));
  SnapshotStat stat;
  stat.name = text_at(object, "name");
  stat.created = number_at<std::int64_t>(object, "created");
  stat.missing = number_at<std::uint64_t>(object, "missing");
  for (const json::value& each : array_at(object, "namespaces")) {
    if (!each.is_object()) continue;
    const json::object& member = each.get_object();
    stat.namespaces.push_back({text_at(member, "name"), number_at<std::uint64_t>(member, "artifacts"),
                               number_at<std::uint64_t>(member, "bytes")});
  }
  return stat;
}

std::string to_json(const RestoreResult& result) {
  return json::serialize(json::object{
      {"restored", result.restored}, {"present", result.present}, {"conflicts", result.conflicts}});
}

Result<RestoreResult> restore_result_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "answer"));
  RestoreResult result;
  result.restored = number_at<std::uint64_t>(object, "restored");
  result.present = number_at<std::uint64_t>(object, "present");
  result.conflicts = number_at<std::uint64_t>(object, "conflicts");
  return result;
}

}  // namespace larder::api
