// Reading members of JSON objects from the other end. Readers ask for what they
// know; a missing or odd member reads as empty, so that an old client
// understands a new server.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace larder::json_fields {

inline std::string_view view(boost::json::string_view text) {
  return {text.data(), text.size()};
}

inline Result<boost::json::object> parse_object(std::string_view text, std::string_view what) {
  boost::json::error_code failure;
  const auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), failure);
  if (failure || !value.is_object())
    return Error(Errc::invalid_argument, "the " + std::string(what) + " is not a JSON object");
  return value.get_object();
}

inline std::string text_at(const boost::json::object& object, boost::json::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string().data(), value->get_string().size());
}

template <typename Number>
Number number_at(const boost::json::object& object, boost::json::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  boost::json::error_code failure;
  const Number number = value->to_number<Number>(failure);
  return failure ? 0 : number;
}

inline std::uint64_t count_at(const boost::json::object& object, boost::json::string_view name) {
  return number_at<std::uint64_t>(object, name);
}

inline bool flag_at(const boost::json::object& object, boost::json::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

inline const boost::json::object& object_at(const boost::json::object& object,
                                            boost::json::string_view name) {
  static const boost::json::object k_empty;
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : k_empty;
}

inline const boost::json::array& array_at(const boost::json::object& object, boost::json::string_view name) {
  static const boost::json::array k_empty;
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->get_array() : k_empty;
}

}  // namespace larder::json_fields
