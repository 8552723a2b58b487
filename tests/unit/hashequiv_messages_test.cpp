#include "server/hashequiv/messages.hpp"

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::hashequiv;
namespace json = boost::json;

namespace {

std::vector<std::string> lines_of(LineReader& reader) {
  std::vector<std::string> lines;
  while (const auto line = reader.next()) lines.emplace_back(*line);
  reader.forget_taken();
  return lines;
}

// What a peer makes of it: BitBake takes white space from the end of each line.
json::value understood(const std::string& sent) {
  LineReader reader;
  reader.feed(sent);
  const auto lines = lines_of(reader);
  REQUIRE_FALSE(lines.empty());
  const auto first = parse_message(lines.front());
  REQUIRE(first);
  if (!announces_chunks(*first)) {
    REQUIRE(lines.size() == 1);
    return json::parse(lines.front());
  }
  std::string whole;
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) whole += lines[i];
  CHECK(lines.back().empty());
  return json::parse(whole);
}

}  // namespace

TEST_CASE("lines come out of pieces, wherever they were cut", "[hashserv]") {
  const std::string sent = "OEHASHEQUIV 1.1\nneeds-headers: false\r\n\n{\"get\": 1} \t\n";
  const std::vector<std::string> wanted = {"OEHASHEQUIV 1.1", "needs-headers: false", "", "{\"get\": 1}"};
  for (std::size_t first = 0; first <= sent.size(); ++first) {
    for (std::size_t second = first; second <= sent.size(); ++second) {
      LineReader reader;
      std::vector<std::string> lines;
      for (const auto& [from, to] :
           {std::pair(std::size_t{0}, first), {first, second}, {second, sent.size()}}) {
        reader.feed(std::string_view(sent).substr(from, to - from));
        for (std::string& each : lines_of(reader)) lines.push_back(std::move(each));
      }
      REQUIRE(lines == wanted);
      REQUIRE(reader.buffered() == 0);
    }
  }
}

TEST_CASE("a line that does not end is noticed", "[hashserv]") {
  LineReader reader;
  reader.feed("short\n" + std::string(k_longest_line, 'a'));
  CHECK(reader.next() == "short");
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.endless());
  reader.forget_taken();
  reader.feed("a");
  CHECK_FALSE(reader.next());
  CHECK(reader.endless());
}

TEST_CASE("short answers are a line, long ones are chunks that a line reader of 64 KiB takes", "[hashserv]") {
  for (const std::size_t size : {0U, 1U, 32764U, 32765U, 32766U, 32767U, 65534U, 65535U, 300000U}) {
    for (const char* filling : {"a", " ", "\xc3\xa9", "\xf0\x9f\x98\x80", "\"", "a  "}) {
      std::string text;
      while (text.size() < size) text += filling;
      std::string sent;
      append_message(sent, json::value(text));
      INFO(size << " of '" << filling << "'");
      CHECK(understood(sent) == json::value(text));
      std::size_t begin = 0;
      for (auto end = sent.find('\n'); end != std::string::npos; end = sent.find('\n', begin)) {
        const std::string_view line = std::string_view(sent).substr(begin, end - begin);
        CHECK(line.size() < (40 << 10));
        CHECK_FALSE(line.ends_with(' '));
        begin = end + 1;
      }
      CHECK(std::ranges::all_of(sent, [](char each) { return each == '\n' || (each >= ' ' && each < 127); }));
    }
  }
}

TEST_CASE("what announces chunks", "[hashserv]") {
  const auto announces = [](std::string_view text) {
    const auto message = parse_message(text);
    return message && announces_chunks(*message);
  };
  CHECK(announces("{\"chunk-stream\": null}"));
  CHECK_FALSE(announces("{\"report\": {\"PN\": \"chunk-stream\"}}"));
  CHECK_FALSE(announces("chunk-stream"));
  CHECK_FALSE(announces("[\"chunk-stream\"]"));
}

TEST_CASE("a message takes no more memory than its length allows for", "[hashserv]") {
  CHECK(parse_message("{\"a\": \"" + std::string(16 << 20, 'a') + "\"}"));
  CHECK(parse_message("{\"a\": \"" + std::string(100000, 'a') + "\\n\"}"));
  CHECK_FALSE(parse_message("{\"a\": 1"));
  CHECK_FALSE(parse_message(""));
  std::string many = "[0";
  for (int i = 0; i < 2'000'000; ++i) many += ",0";
  CHECK_FALSE(parse_message(many + "]"));
  CHECK_FALSE(parse_message(std::string(1000, '[')));
}
