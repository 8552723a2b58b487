#include "server/http/date.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <ctime>

namespace larder::http {
namespace {

constexpr std::array<std::string_view, 7> k_days = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> k_months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr UnixSeconds k_first = -62135596800;  // 0001-01-01 00:00:00
constexpr UnixSeconds k_last = 253402300799;   // 9999-12-31 23:59:59

struct Moment {
  int year = 0;
  int month = 0;             // 1…12
  int day = 0;               // 1…31
  std::int64_t seconds = 0;  // since midnight

  std::chrono::year_month_day date() const {
    return {std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
            std::chrono::day(static_cast<unsigned>(day))};
  }
};

void put_number(char* at, int value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

// HH:MM:SS into eight characters that have their colons already.
void put_time(char* at, std::int64_t second) {
  put_number(at, static_cast<int>(second / 3600), 2);
  put_number(at + 3, static_cast<int>(second / 60 % 60), 2);
  put_number(at + 6, static_cast<int>(second % 60), 2);
}

std::chrono::sys_days day_of(UnixSeconds time) {
  return std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(time)));
}

Moment moment_of(UnixSeconds time) {
  const std::chrono::sys_days day = day_of(time);
  const std::chrono::year_month_day date = day;
  Moment moment;
  moment.year = static_cast<int>(date.year());
  moment.month = static_cast<int>(static_cast<unsigned>(date.month()));
  moment.day = static_cast<int>(static_cast<unsigned>(date.day()));
  moment.seconds = time - std::chrono::sys_seconds(day).time_since_epoch().count();
  return moment;
}

// Reads a date from the front; every step says whether it was there.
class Reader {
 public:
  explicit Reader(std::string_view text) : left_(text) {}

  bool literal(std::string_view text) {
    if (!left_.starts_with(text)) return false;
    left_.remove_prefix(text.size());
    return true;
  }

  bool number(int digits, int& value) {
    if (left_.size() < static_cast<std::size_t>(digits)) return false;
    value = 0;
    for (int i = 0; i < digits; ++i) {
      const char c = left_[static_cast<std::size_t>(i)];
      if (c < '0' || c > '9') return false;
      value = value * 10 + (c - '0');
    }
    left_.remove_prefix(static_cast<std::size_t>(digits));
    return true;
  }

  bool day_name(std::size_t length) {  // 0: all of it
    return std::any_of(k_days.begin(), k_days.end(), [&](std::string_view name) {
      return literal(length == 0 ? name : name.substr(0, length));
    });
  }

  bool month_name(int& month) {
    for (std::size_t i = 0; i < k_months.size(); ++i) {
      if (!literal(k_months[i])) continue;
      month = static_cast<int>(i) + 1;
      return true;
    }
    return false;
  }

  bool time(std::int64_t& seconds) {
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!number(2, hour) || !literal(":") || !number(2, minute) || !literal(":") || !number(2, second))
      return false;
    if (hour > 23 || minute > 59 || second > 60) return false;  // 60: a leap second
    seconds = (hour * 60 + minute) * 60 + second;
    return true;
  }

  bool at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
};

bool read_imf(Reader reader, Moment& moment) {
  return reader.day_name(3) && reader.literal(", ") && reader.number(2, moment.day) && reader.literal(" ") &&
         reader.month_name(moment.month) && reader.literal(" ") && reader.number(4, moment.year) &&
         reader.literal(" ") && reader.time(moment.seconds) && reader.literal(" GMT") && reader.at_end();
}

bool read_rfc850(Reader reader, Moment& moment) {
  const bool fits = reader.day_name(0) && reader.literal(", ") && reader.number(2, moment.day) &&
                    reader.literal("-") && reader.month_name(moment.month) && reader.literal("-") &&
                    reader.number(2, moment.year) && reader.literal(" ") && reader.time(moment.seconds) &&
                    reader.literal(" GMT") && reader.at_end();
  moment.year += moment.year < 70 ? 2000 : 1900;
  return fits;
}

bool read_asctime(Reader reader, Moment& moment) {
  if (!reader.day_name(3) || !reader.literal(" ") || !reader.month_name(moment.month) || !reader.literal(" "))
    return false;
  const bool day = reader.literal(" ") ? reader.number(1, moment.day) : reader.number(2, moment.day);
  return day && reader.literal(" ") && reader.time(moment.seconds) && reader.literal(" ") &&
         reader.number(4, moment.year) && reader.at_end();
}

}  // namespace

std::string format_http_date(UnixSeconds time) {
  std::string text;
  append_http_date(text, time);
  return text;
}

void append_http_date(std::string& out, UnixSeconds time) {
  time = std::clamp(time, k_first, k_last);
  const Moment moment = moment_of(time);
  const std::size_t weekday = std::chrono::weekday(day_of(time)).c_encoding();

  char text[] = "Sun, 00 Jan 0000 00:00:00 GMT";
  k_days[weekday].copy(text, 3);
  put_number(&text[5], moment.day, 2);
  k_months[static_cast<std::size_t>(moment.month - 1)].copy(&text[8], 3);
  put_number(&text[12], moment.year, 4);
  put_time(&text[17], moment.seconds);
  out.append(text, sizeof text - 1);
}

std::string_view current_http_date() {
  thread_local std::time_t second = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != second) {
    second = now;
    text = format_http_date(now);
  }
  return text;
}

std::string format_iso_date(UnixSeconds time) {
  const Moment moment = moment_of(std::clamp(time, k_first, k_last));
  std::string text = "0000-00-00T00:00:00Z";
  put_number(&text[0], moment.year, 4);
  put_number(&text[5], moment.month, 2);
  put_number(&text[8], moment.day, 2);
  put_time(&text[11], moment.seconds);
  return text;
}

std::optional<UnixSeconds> parse_http_date(std::string_view text) {
  Moment moment;
  if (!read_imf(Reader(text), moment) && !read_rfc850(Reader(text), moment) &&
      !read_asctime(Reader(text), moment))
    return std::nullopt;
  const std::chrono::year_month_day date = moment.date();
  if (moment.year < 1 || !date.ok()) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::sys_days(date)).time_since_epoch().count() + moment.seconds;
}

}  // namespace larder::http
