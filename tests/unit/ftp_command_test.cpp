#include "server/ftp/command.hpp"

#include <vector>

#include "tests/support/catch.hpp"

using namespace larder::ftp;

namespace {

// What a reader makes of `bytes`, handed over in pieces of `piece`: "RETR [a b]", "too long".
std::vector<std::string> commands_of(std::string_view bytes, std::size_t piece) {
  CommandReader reader;
  std::vector<std::string> all;
  while (!bytes.empty()) {
    std::string_view fed = bytes.substr(0, piece);
    bytes.remove_prefix(fed.size());
    while (!fed.empty()) {
      const CommandReader::Step step = reader.feed(fed);
      fed.remove_prefix(step.consumed);
      if (!step.complete) continue;
      const Command& command = reader.command();
      all.push_back(command.overlong ? "too long" : command.name + " [" + command.argument + "]");
    }
  }
  return all;
}

}  // namespace

TEST_CASE("FTP commands are a word and the rest of the line", "[ftp]") {
  struct Row {
    std::string_view line;
    Verb verb;
    std::string_view name;
    std::string_view argument;
  };
  const Row rows[] = {
      {"NOOP", Verb::noop, "NOOP", ""},
      {"noop", Verb::noop, "NOOP", ""},
      {"ReTr a", Verb::retr, "RETR", "a"},
      {"RETR  a ", Verb::retr, "RETR", " a "},  // names may start and end with spaces
      {"RETR a b+%~@:\xC3\xA4", Verb::retr, "RETR", "a b+%~@:\xC3\xA4"},
      {"XPWD", Verb::pwd, "XPWD", ""},
      {"XCWD a", Verb::cwd, "XCWD", "a"},
      {"XCUP", Verb::cdup, "XCUP", ""},
      {"XMKD a", Verb::mkd, "XMKD", "a"},
      {"XRMD a", Verb::rmd, "XRMD", "a"},
      {"", Verb::unknown, "", ""},
      {" RETR a", Verb::unknown, "", "RETR a"},
      {"RETRIEVE a", Verb::unknown, "RETRIEVE", "a"},
      {"RETRIEVEMENT a", Verb::unknown, "RETRIEVE", "a"},
      {"GET / HTTP/1.1", Verb::unknown, "GET", "/ HTTP/1.1"},
      {"\x16\x03\x01", Verb::unknown, "\x16\x03\x01", ""},
  };
  for (const Row& row : rows) {
    INFO(row.line);
    const Command command = parse_command(row.line);
    CHECK(command.verb == row.verb);
    CHECK(command.name == row.name);
    CHECK(command.argument == row.argument);
  }
}

TEST_CASE("every verb is read by its own name", "[ftp]") {
  for (int number = 1; number <= static_cast<int>(Verb::smnt); ++number) {
    const Verb verb = static_cast<Verb>(number);
    INFO(number);
    REQUIRE_FALSE(name_of(verb).empty());
    CHECK(parse_command(name_of(verb)).verb == verb);
  }
  CHECK(name_of(Verb::unknown).empty());
}

TEST_CASE("command lines are cut the same wherever the stream is", "[ftp]") {
  const std::string stream = std::string("USER anonymous\r\nCWD a b\nRETR x\r\r\n\r\n") + "\xFF\xF4\xFF\xF2" +
                             "ABOR\r\n" +                   // Telnet: interrupt process, data mark
                             "\xFF\xF4\xFF" + "ABOR\r\n" +  // the same, the mark out of band
                             "\xFF\xFB\x01NOOP\r\n" +       // WILL ECHO
                             "RETR a\xFF\xFF"
                             "b\r\n" +
                             "QUIT\r\nREST 1";
  const std::vector<std::string> expected = {"USER [anonymous]",
                                             "CWD [a b]",
                                             "RETR [x\r]",
                                             " []",
                                             "ABOR []",
                                             "ABOR []",
                                             "NOOP []",
                                             "RETR [a\xFF"
                                             "b]",
                                             "QUIT []"};
  for (std::size_t piece = 1; piece <= 69; ++piece) {
    INFO(piece);
    CHECK(commands_of(stream, piece) == expected);
  }
}

TEST_CASE("a line without an end is told from one that is only too long", "[ftp]") {
  CommandReader reader;
  (void)reader.feed(std::string(1 << 20, 'x'));
  CHECK_FALSE(reader.endless());
  (void)reader.feed(std::string(k_max_line, 'x'));
  CHECK(reader.endless());
  CHECK(reader.feed("\n").complete);
  CHECK_FALSE(reader.endless());
}

TEST_CASE("a line that is too long is one command, and the next one is read", "[ftp]") {
  const std::string longest = "RETR " + std::string(k_max_line - 7, 'x');
  for (std::size_t piece : {1U, 2U, 69U, 4095U, 4096U, 100000U}) {
    CHECK(commands_of(longest + "\r\n", piece) ==
          std::vector<std::string>{"RETR [" + longest.substr(5) + "]"});
    CHECK(commands_of(longest + "xx\r\nNOOP\r\n", piece) == std::vector<std::string>{"too long", "NOOP []"});
    CHECK(commands_of(std::string(20000, 'x') + "\nNOOP\n", piece) ==
          std::vector<std::string>{"too long", "NOOP []"});
  }
}
