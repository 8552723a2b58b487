// Reading JSON that another version may have written: a member that is missing or of
// another type reads as empty, so that an old client understands a new server. Not for
// what a request asks to be done: there, what is not understood is an error.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace larder::api {

inline std::string_view view(boost::json::string_view text) {
  return {text.data(), text.size()};
}

// Errc::invalid_argument: "<what> is not a JSON object".
inline Result<boost::json::object> parse_object(std::string_view text, std::string_view what) {
  boost::json::error_code failure;
  const boost::json::value value =
      boost::json::parse(boost::json::string_view(text.data(), text.size()), failure);
  if (failure || !value.is_object())
    return Error(Errc::invalid_argument, std::string(what) + " is not a JSON object");
  return value.get_object();
}

template <typename Number>
Number number_at(const boost::json::object& object, boost::json::string_view name) {
  const boost::json::value* const value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  boost::json::error_code failure;
  const Number number = value->to_number<Number>(failure);
  return failure ? 0 : number;
}

inline std::string text_at(const boost::json::object& object, boost::json::string_view name) {
  const boost::json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(view(value->get_string())) : std::string();
}

inline const boost::json::object& object_at(const boost::json::object& object,
                                            boost::json::string_view name) {
  static const boost::json::object k_empty;
  const boost::json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : k_empty;
}

inline const boost::json::array& array_at(const boost::json::object& object, boost::json::string_view name) {
  static const boost::json::array k_empty;
  const boost::json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->get_array() : k_empty;
}

}  // namespace larder::api
