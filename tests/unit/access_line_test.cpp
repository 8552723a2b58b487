#include "server/access_line.hpp"

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "common/utf8.hpp"
#include "tests/support/catch.hpp"

using namespace larder;

namespace {

AccessRecord asked_for(std::string_view name) {
  AccessRecord record;
  record.client = "127.0.0.1";
  record.protocol = "http";
  record.method = "GET";
  record.name = name;
  record.status = 400;
  return record;
}

std::string format_access(const AccessRecord& record, LogFormat format, std::int64_t unix_milliseconds) {
  std::string line;
  append_access(line, record, format, unix_milliseconds);
  return line;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

TEST_CASE("an access log line tells everything about a request", "[access_line]") {
  AccessRecord record = asked_for("/sstate-cache/ab");
  record.status = 200;
  record.name_space = "sstate-cache";
  record.outcome = "hit";
  record.bytes_in = 1;
  record.bytes_out = 20480;
  record.duration = std::chrono::microseconds(57);
  CHECK(
      format_access(record, LogFormat::json, 1'700'000'000'123) ==
      R"({"time":"2023-11-14T22:13:20.123Z","log":"access","client":"127.0.0.1","protocol":"http","method":"GET",)"
      R"("namespace":"sstate-cache","name":"/sstate-cache/ab","status":200,"outcome":"hit","bytes_in":1,)"
      R"("bytes_out":20480,"microseconds":57})");
  CHECK(format_access(record, LogFormat::text, 1'700'000'000'123) ==
        R"(2023-11-14T22:13:20.123Z 127.0.0.1 http GET "/sstate-cache/ab" 200 hit in=1 out=20480 us=57)");
}

TEST_CASE("who is known by name stands in the access log", "[access_line]") {
  AccessRecord record = asked_for("/a");
  record.user = "ci \"7\"";
  CHECK(format_access(record, LogFormat::json, 0).find(R"("client":"127.0.0.1","user":"ci \"7\"",)") !=
        std::string::npos);
  CHECK(format_access(record, LogFormat::text, 0).ends_with(R"( user="ci \"7\"")"));
}

TEST_CASE("whatever a client asks for, its line is one line of UTF-8 and JSON", "[access_line]") {
  struct Case {
    std::string_view name;
    std::string_view shown;  // between the quotes
  };
  const std::vector<Case> table = {
      {"", ""},
      {"/a b", "/a b"},
      {"/\"}\\", R"(/\"}\\)"},
      {"/a\nb\r\t\x7F", R"(/a\u000ab\u000d\u0009\u007f)"},
      {"/\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "/\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
      {"/\xFF\xFE", R"(/\u00ff\u00fe)"},
      {"/\x80x", R"(/\u0080x)"},
      {"/\xC3", R"(/\u00c3)"},                      // cut
      {"/\xE2\x82/", R"(/\u00e2\u0082/)"},          // cut, and something follows
      {"/\xC0\xAE", R"(/\u00c0\u00ae)"},            // overlong
      {"/\xED\xA0\x80", R"(/\u00ed\u00a0\u0080)"},  // a surrogate
      {"/\xC2\x85\xC2\x9B\xC2\xA0", "/\\u0085\\u009b\xC2\xA0"},
  };
  for (const auto& [name, shown] : table) {
    const std::string quoted = "\"" + std::string(shown) + "\"";
    INFO(quoted);
    const std::string text = format_access(asked_for(name), LogFormat::text, 0);
    CHECK(text.find(" " + quoted + " ") != std::string::npos);
    const std::string json = format_access(asked_for(name), LogFormat::json, 0);
    CHECK(json.find("\"name\":" + quoted + ",") != std::string::npos);
    CHECK(is_utf8(json));
    boost::json::error_code failure;
    CHECK(boost::json::parse(json, failure).is_object());
    CHECK_FALSE(failure);
  }
}

TEST_CASE("every byte alone and every pair of bytes makes a line that is JSON", "[access_line]") {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; second += first < 128 ? 51 : 1) {
      const std::string pair = {static_cast<char>(first), static_cast<char>(second)};
      // Alone, and on both sides of the border between two words of eight bytes.
      for (const std::string& name : {pair, "/plain-" + pair + "-plain"}) {
        const std::string json = format_access(asked_for(name), LogFormat::json, 0);
        boost::json::error_code failure;
        (void)boost::json::parse(json, failure);
        if (failure || !is_utf8(json)) FAIL_CHECK(first << " " << second << ": " << json);
      }
    }
  }
}
