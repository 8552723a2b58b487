#include "client/moment.hpp"

#include <array>
#include <charconv>
#include <ctime>
#include <optional>
#include <string>

#include "common/units.hpp"

namespace larder::client {
namespace {

Error no_moment(std::string_view text) {
  return Error(Errc::invalid_argument, "'" + std::string(text) +
                                           "' is no point in time; write it like '2 days ago', 14d, "
                                           "2026-11-01 or '2026-11-01 14:30'");
}

std::tm local_parts(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts = {};
  ::localtime_r(&time, &parts);
  return parts;
}

// Midnight of the day `days` before the one that `now` is in.
std::int64_t day_start(std::int64_t now, int days) {
  std::tm parts = local_parts(now);
  parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
  parts.tm_mday -= days;
  parts.tm_isdst = -1;
  return std::mktime(&parts);
}

std::optional<std::int64_t> parse_date(const std::string& text) {
  for (const char* const format :
       {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"}) {
    std::tm parts = {};
    const char* const end = ::strptime(text.c_str(), format, &parts);
    if (end == nullptr || *end != '\0') continue;
    const std::tm asked = parts;
    parts.tm_isdst = -1;
    const std::time_t time = std::mktime(&parts);
    // mktime takes the 31st of February for the 3rd of March.
    if (time < 0 || parts.tm_mday != asked.tm_mday || parts.tm_mon != asked.tm_mon) return std::nullopt;
    return time;
  }
  return std::nullopt;
}

// "2 days" as parse_duration() knows it: "2d".
std::string short_duration(std::string_view text) {
  struct Unit {
    std::string_view word;
    std::string_view letter;
  };
  constexpr std::array<Unit, 10> k_units = {{{"seconds", "s"},
                                             {"second", "s"},
                                             {"minutes", "m"},
                                             {"minute", "m"},
                                             {"hours", "h"},
                                             {"hour", "h"},
                                             {"days", "d"},
                                             {"day", "d"},
                                             {"weeks", "w"},
                                             {"week", "w"}}};
  for (const Unit& unit : k_units) {
    if (!text.ends_with(unit.word)) continue;
    std::string_view number = text.substr(0, text.size() - unit.word.size());
    while (number.ends_with(' ')) number.remove_suffix(1);
    return std::string(number).append(unit.letter);
  }
  return std::string(text);
}

}  // namespace

Result<std::int64_t> parse_moment(std::string_view text, std::int64_t now) {
  if (text == "now") return now;
  if (text == "today") return day_start(now, 0);
  if (text == "yesterday") return day_start(now, 1);
  if (text.starts_with('@')) {
    std::int64_t seconds = 0;
    const char* const last = text.data() + text.size();
    const auto [end, failure] = std::from_chars(text.data() + 1, last, seconds);
    if (failure != std::errc() || end != last || seconds < 0) return no_moment(text);
    return seconds;
  }
  if (const auto date = parse_date(std::string(text))) return *date;
  std::string_view before = text;
  constexpr std::string_view k_ago = " ago";
  if (before.ends_with(k_ago)) before.remove_suffix(k_ago.size());
  const auto duration = parse_duration(short_duration(before));
  if (!duration) return no_moment(text);
  return now - std::chrono::duration_cast<std::chrono::seconds>(*duration).count();
}

}  // namespace larder::client
