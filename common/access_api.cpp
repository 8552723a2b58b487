#include "common/access_api.hpp"

#include "common/json_fields.hpp"

namespace larder::api {

namespace json = boost::json;
using namespace json_fields;

std::string to_json(const TokenRequest& request) {
  json::object object = {{"name", request.name}, {"can", to_string(request.can)}};
  if (!request.where.empty()) object["namespaces"] = to_string(request.where);
  if (request.expires_in > 0) object["expires_in"] = request.expires_in;
  return json::serialize(object);
}

Result<TokenRequest> token_request_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "request for a token"));
  TokenRequest request;
  for (const auto& member : object) {
    const std::string_view name = view(member.key());
    const bool is_number = member.value().is_int64() || member.value().is_uint64();
    const bool known = name == "name" || name == "can" || name == "namespaces" || name == "expires_in";
    if (!known || (name == "expires_in" ? !is_number : !member.value().is_string()))
      return Error(Errc::invalid_argument,
                   "a request for a token has no '" + std::string(name) + "' like this");
  }
  request.name = text_at(object, "name");
  LARDER_TRY_ASSIGN(request.can, parse_rights(text_at(object, "can")));
  const std::string where = text_at(object, "namespaces");
  if (!where.empty()) {
    LARDER_TRY_ASSIGN(request.where, parse_namespaces(where));
  }
  request.expires_in = number_at<std::int64_t>(object, "expires_in");
  constexpr std::int64_t k_longest = std::int64_t{36500} * 24 * 3600;
  if (request.expires_in < 0 || request.expires_in > k_longest)
    return Error(Errc::invalid_argument, "expires_in is a number of seconds, up to a hundred years");
  return request;
}

std::string to_json(const TokenInfo& info) {
  json::object object = {{"id", info.id},
                         {"name", info.name},
                         {"can", info.can},
                         {"namespaces", info.where},
                         {"created", info.created},
                         {"expires", info.expires},
                         {"last_used", info.last_used},
                         {"created_by", info.created_by}};
  if (!info.token.empty()) object["token"] = info.token;
  return json::serialize(object);
}

Result<TokenInfo> token_info_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const json::object object, parse_object(text, "token"));
  TokenInfo info;
  info.id = text_at(object, "id");
  info.name = text_at(object, "name");
  info.can = text_at(object, "can");
  info.where = text_at(object, "namespaces");
  info.created = number_at<std::int64_t>(object, "created");
  info.expires = number_at<std::int64_t>(object, "expires");
  info.last_used = number_at<std::int64_t>(object, "last_used");
  info.created_by = text_at(object, "created_by");
  info.token = text_at(object, "token");
  return info;
}

}  // namespace larder::api
