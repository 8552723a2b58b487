#include "server/http/date.hpp"

#include <limits>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

TEST_CASE("times are written as HTTP and as ISO 8601 dates", "[date]") {
  struct Case {
    UnixSeconds time;
    std::string_view http;
    std::string_view iso;
  };
  const auto table = std::vector<Case>{
      {784111777, "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"},
      {0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"},
      {-1, "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31T23:59:59Z"},
      {951782400, "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29T00:00:00Z"},
      {1709164799, "Wed, 28 Feb 2024 23:59:59 GMT", "2024-02-28T23:59:59Z"},
      {1709251200, "Fri, 01 Mar 2024 00:00:00 GMT", "2024-03-01T00:00:00Z"},
      {1767225599, "Wed, 31 Dec 2025 23:59:59 GMT", "2025-12-31T23:59:59Z"},
      {2147483648, "Tue, 19 Jan 2038 03:14:08 GMT", "2038-01-19T03:14:08Z"},
      {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT", "2100-03-01T00:00:00Z"},
      {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"},
      {253402300800, "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"},
      {std::numeric_limits<UnixSeconds>::max(), "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"},
      {-62135596800, "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00Z"},
      {std::numeric_limits<UnixSeconds>::min(), "Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00Z"},
  };
  for (const auto& [time, http, iso] : table) {
    INFO(time);
    CHECK(format_http_date(time) == http);
    CHECK(format_iso_date(time) == iso);
  }
}

TEST_CASE("every day of eight centuries reads back as itself", "[date]") {
  constexpr UnixSeconds k_day = 86400;
  for (UnixSeconds day = -141428; day < 150000; ++day) {  // 1582 … 2380
    const UnixSeconds time = day * k_day + (day % k_day + k_day) % k_day;
    if (parse_http_date(format_http_date(time)) != time)
      FAIL("day " << day << " is " << format_http_date(time));
  }
}

TEST_CASE("the three forms of a date mean the same", "[date]") {
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == 784111777);
  CHECK(parse_http_date("Wed Nov 16 08:49:37 1994") == 784975777);
}

TEST_CASE("years of two digits turn at 70", "[date]") {
  CHECK(parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT") == 0);
  CHECK(parse_http_date("Tuesday, 31-Dec-69 00:00:00 GMT") == 3155673600);
  CHECK(parse_http_date("Saturday, 01-Jan-00 00:00:00 GMT") == 946684800);
}

TEST_CASE("the edges of a calendar are kept", "[date]") {
  CHECK(parse_http_date("Thu, 29 Feb 2024 00:00:00 GMT").has_value());
  CHECK(parse_http_date("Tue, 29 Feb 2000 00:00:00 GMT").has_value());
  CHECK(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == 1483228800);  // a leap second
  for (const std::string_view text :
       {"Wed, 29 Feb 2023 00:00:00 GMT", "Thu, 29 Feb 1900 00:00:00 GMT", "Sun, 31 Apr 2024 00:00:00 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 32 Jan 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT"}) {
    INFO(text);
    CHECK_FALSE(parse_http_date(text));
  }
}

TEST_CASE("what is no date is none", "[date]") {
  const std::string good = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (std::size_t length = 0; length < good.size(); ++length)
    CHECK_FALSE(parse_http_date(good.substr(0, length)));
  for (const std::string_view text :
       {"0", "784111777", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xyz 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt", "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 06 Nov 1994 08:49:37 GMT", "Sun Nov 06 08:49:37 1994 GMT",
        "Sun Nov 6 08:49:37 1994", "Sun, -6 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"}) {
    INFO(text);
    CHECK_FALSE(parse_http_date(text));
  }
}
