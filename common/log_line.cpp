#include "common/log_line.hpp"

#include "common/json_fields.hpp"

namespace larder::api {

using json_fields::count_at;
using json_fields::number_at;
using json_fields::text_at;

std::string to_json(const LogLine& line) {
  const boost::json::object object = {
      {"sequence", line.sequence}, {"time", line.time},     {"action", line.action}, {"name", line.name},
      {"size", line.size},         {"sha256", line.digest}, {"actor", line.actor},   {"why", line.why}};
  return boost::json::serialize(object);
}

Result<LogLine> log_line_from_json(std::string_view text) {
  LARDER_TRY_ASSIGN(const auto object, json_fields::parse_object(text, "line of the log"));
  LogLine line;
  line.sequence = count_at(object, "sequence");
  line.time = number_at<std::int64_t>(object, "time");
  line.action = text_at(object, "action");
  line.name = text_at(object, "name");
  line.size = count_at(object, "size");
  line.digest = text_at(object, "sha256");
  line.actor = text_at(object, "actor");
  line.why = text_at(object, "why");
  return line;
}

}  // namespace larder::api
