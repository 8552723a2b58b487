#include "server/http/date.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>

namespace larder::http {
namespace {

constexpr std::array<std::string_view, 7> k_days = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> k_months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::int64_t k_seconds_a_day = 86400;
constexpr UnixSeconds k_first = -62135596800;  // 0001-01-01 00:00:00
constexpr UnixSeconds k_last = 253402300799;   // 9999-12-31 23:59:59

struct Civil {
  int year = 0;
  int month = 0;  // 1…12
  int day = 0;    // 1…31
};

struct Moment {
  Civil date;
  std::int64_t seconds = 0;  // since midnight
};

bool is_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int days_in(int year, int month) {
  constexpr std::array<int, 12> k_lengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : k_lengths[static_cast<std::size_t>(month - 1)];
}

// Days before 1 January of a year, counted from 1 January of the year 1.
std::int64_t days_before_year(int year) {
  const std::int64_t past = year - 1;
  return past * 365 + past / 4 - past / 100 + past / 400;
}

constexpr std::int64_t k_epoch_day = 719162;  // 1970-01-01, in days since 0001-01-01

std::int64_t day_number(const Civil& date) {
  std::int64_t days = days_before_year(date.year) - k_epoch_day + date.day - 1;
  for (int month = 1; month < date.month; ++month) days += days_in(date.year, month);
  return days;
}

Civil civil_of(std::int64_t day_since_epoch) {
  const std::int64_t day = day_since_epoch + k_epoch_day;
  Civil date;
  date.year = static_cast<int>(day * 400 /
                               146097);  // 400 years have so many days; never too late, and soon put right
  date.year = std::max(date.year, 1);
  while (days_before_year(date.year + 1) <= day) ++date.year;
  auto left = static_cast<int>(day - days_before_year(date.year));
  date.month = 1;
  while (left >= days_in(date.year, date.month)) left -= days_in(date.year, date.month++);
  date.day = left + 1;
  return date;
}

void put_number(char* at, int value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

// HH:MM:SS into eight characters that have their colons already.
void put_time(char* at, std::int64_t second) {
  put_number(at, static_cast<int>(second / 3600), 2);
  put_number(at + 3, static_cast<int>(second / 60 % 60), 2);
  put_number(at + 6, static_cast<int>(second % 60), 2);
}

Moment moment_of(UnixSeconds time) {
  time = std::clamp(time, k_first, k_last);
  std::int64_t day = time / k_seconds_a_day;
  std::int64_t second = time % k_seconds_a_day;
  if (second < 0) {
    second += k_seconds_a_day;
    --day;
  }
  return {civil_of(day), second};
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
  return reader.day_name(3) && reader.literal(", ") && reader.number(2, moment.date.day) &&
         reader.literal(" ") && reader.month_name(moment.date.month) && reader.literal(" ") &&
         reader.number(4, moment.date.year) && reader.literal(" ") && reader.time(moment.seconds) &&
         reader.literal(" GMT") && reader.at_end();
}

bool read_rfc850(Reader reader, Moment& moment) {
  const bool fits = reader.day_name(0) && reader.literal(", ") && reader.number(2, moment.date.day) &&
                    reader.literal("-") && reader.month_name(moment.date.month) && reader.literal("-") &&
                    reader.number(2, moment.date.year) && reader.literal(" ") &&
                    reader.time(moment.seconds) && reader.literal(" GMT") && reader.at_end();
  moment.date.year += moment.date.year < 70 ? 2000 : 1900;
  return fits;
}

bool read_asctime(Reader reader, Moment& moment) {
  if (!reader.day_name(3) || !reader.literal(" ") || !reader.month_name(moment.date.month) ||
      !reader.literal(" "))
    return false;
  const bool day =
      reader.literal(" ") ? reader.number(1, moment.date.day) : reader.number(2, moment.date.day);
  return day && reader.literal(" ") && reader.time(moment.seconds) && reader.literal(" ") &&
         reader.number(4, moment.date.year) && reader.at_end();
}

}  // namespace

std::string format_http_date(UnixSeconds time) {
  std::string text;
  append_http_date(text, time);
  return text;
}

void append_http_date(std::string& out, UnixSeconds time) {
  const Moment moment = moment_of(time);
  // 0001-01-01 was a Monday.
  const auto weekday = static_cast<std::size_t>((day_number(moment.date) + k_epoch_day + 1) % 7);

  char text[] = "Sun, 00 Jan 0000 00:00:00 GMT";
  k_days[weekday].copy(text, 3);
  put_number(&text[5], moment.date.day, 2);
  k_months[static_cast<std::size_t>(moment.date.month - 1)].copy(&text[8], 3);
  put_number(&text[12], moment.date.year, 4);
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
  const Moment moment = moment_of(time);
  std::string text = "0000-00-00T00:00:00Z";
  put_number(&text[0], moment.date.year, 4);
  put_number(&text[5], moment.date.month, 2);
  put_number(&text[8], moment.date.day, 2);
  put_time(&text[11], moment.seconds);
  return text;
}

std::optional<UnixSeconds> parse_http_date(std::string_view text) {
  Moment moment;
  if (!read_imf(Reader(text), moment) && !read_rfc850(Reader(text), moment) &&
      !read_asctime(Reader(text), moment))
    return std::nullopt;
  const Civil& date = moment.date;
  if (date.year < 1 || date.day < 1 || date.day > days_in(date.year, date.month)) return std::nullopt;
  return day_number(date) * k_seconds_a_day + moment.seconds;
}

}  // namespace larder::http
