// What a client says, and what it hears, on a database in memory.
#include "server/hashequiv/conversation.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;
using namespace larder::hashequiv;

namespace {

constexpr const char* k_hello = "OEHASHEQUIV 1.1\nneeds-headers: false\n\n";

std::string hash(char digit) {
  return std::string(64, digit);
}

std::string report_of(char taskhash, const std::string& outhash) {
  return R"({"report": {"taskhash": ")" + hash(taskhash) + R"(", "method": "m", "outhash": ")" + outhash +
         R"(", "unihash": ")" + hash(taskhash) + R"(", "PN": "zlib", "a word nobody knows": 1}})" + "\n";
}

std::string mapping(char taskhash, char unihash) {
  return R"({"taskhash":")" + hash(taskhash) + R"(","method":"m","unihash":")" + hash(unihash) + "\"}\n";
}

Allowed everything() {
  Allowed allowed;
  allowed.read = allowed.report = allowed.clean = true;
  return allowed;
}

// With all that comes of it: a turn ends when it has taken long enough.
Conversation::Turn finish(Conversation& conversation, Conversation::Turn turn) {
  while (turn.more) {
    Conversation::Turn next = conversation.go_on();
    next.output.insert(0, turn.output);
    next.troubles.insert(next.troubles.begin(), turn.troubles.begin(), turn.troubles.end());
    next.news.insert(next.news.begin(), turn.news.begin(), turn.news.end());
    turn = std::move(next);
  }
  return turn;
}

Conversation::Turn hear(Conversation& conversation, const std::string& text, const Allowed& allowed) {
  return finish(conversation, conversation.hear(text, allowed));
}

struct Bench {
  Bench() {
    auto opened = HashEquivalence::open(directory.path() / "known", clock, Durability::none);
    REQUIRE(opened);
    known = std::move(*opened);
    shared.emplace(*known, clock);
  }
  // What is heard behind the greeting; "[over]" at its end when the connection is.
  std::string say(const std::string& text, const Allowed& allowed = everything()) {
    Conversation conversation(*shared, "peer");
    return heard(hear(conversation, k_hello + text, allowed));
  }
  static std::string heard(const Conversation::Turn& turn) {
    return turn.output + (turn.over ? "[over]" : "");
  }

  TemporaryDirectory directory{TemporaryDirectory::Where::in_memory};
  ManualClock clock;
  std::unique_ptr<HashEquivalence> known;
  std::optional<Shared> shared;
};

}  // namespace

TEST_CASE("who does not speak the protocol is not answered", "[hashserv]") {
  Bench bench;
  struct Example {
    const char* said;
    const char* heard;
  };
  const Example examples[] = {
      {"OEHASHEQUIV 1.1\n\n", ""},
      {"OEHASHEQUIV 1.1\nneeds-headers: true\n\n", "\n"},
      {"OEHASHEQUIV 1.1\nNeeds-Headers:true\nother: x\n\n{\"ping\": {}}\n", "\n{\"alive\":true}\n"},
      {"OEHASHEQUIV 1.0\n", "[over]"},
      {"OEHASHEQUIV 1.2\n", "[over]"},
      {"OEHASHEQUIV 2.1\n", "[over]"},
      {"OEHASHEQUIV 1\n", "[over]"},
      {"OEHASHEQUIV\n", "[over]"},
      {"PRSERVICE 1.1\n", "[over]"},
      {"GET / HTTP/1.1\r\n", "[over]"},
      {"OEHASHEQUIV 1.1\nno colon\n", "[over]"},
      {"\n", "[over]"},
  };
  for (const Example& each : examples) {
    Conversation conversation(*bench.shared, "peer");
    INFO(each.said);
    CHECK(Bench::heard(hear(conversation, each.said, everything())) == each.heard);
  }
}

TEST_CASE("what is no request ends the connection without a word", "[hashserv]") {
  Bench bench;
  for (const char* said :
       {"{}", "[]", "null", "1", "{\"get\": ", "{\"get\": {}}", "{\"get\": null}",
        "{\"get\": {\"method\": 1, \"taskhash\": \"a\"}}",
        "{\"get\": {\"method\": \"a\\u0000\", \"taskhash\": \"a\"}}",
        "{\"report-equiv\": {\"unihash\": "
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
        "{\"remove\": {}}", "{\"gc-mark\": {\"mark\": \"a\"}}", "{\"gc-mark\": {\"mark\": 1, \"where\": {}}}",
        "{\"clean-unused\": {\"max_age_seconds\": \"a\"}}", "{\"clean-unused\": {}}",
        "{\"auth\": {\"username\": \"a\"}}", "{\"get-outhash\": {\"method\": \"m\"}}"}) {
    INFO(said);
    CHECK(bench.say(std::string(said) + "\n{\"ping\": {}}\n") == "[over]");
  }
  const std::string deep(1000, '[');
  CHECK(bench.say(deep + "\n") == "[over]");
}

TEST_CASE("the dialogue of a build, wherever it is cut", "[hashserv]") {
  const std::string said = k_hello + std::string("{\"get-stream\": null}\n") + "m " + hash('1') + "\nm " +
                           hash('2') + "\nEND\n" + report_of('1', "out") + report_of('2', "out") +
                           "{\"get-stream\": null}\nm " + hash('2') +
                           "\n\n{\"chunk-stream\": null}\n{\"pi\nng\": {}}\n\n";
  const std::string wanted = "\"ok\"\n\n\nok\n" + mapping('1', '1') + mapping('2', '1') + "\"ok\"\n" +
                             hash('1') + "\nok\n{\"alive\":true}\n";
  Bench bench;
  for (std::size_t cut = 0; cut <= said.size(); ++cut) {
    REQUIRE(bench.known->remove({{"method", "m"}}));
    Conversation conversation(*bench.shared, "peer");
    std::string heard;
    for (const std::string& piece : {said.substr(0, cut), said.substr(cut)}) {
      const auto turn = hear(conversation, piece, everything());
      heard += turn.output;
      REQUIRE_FALSE(turn.over);
      REQUIRE(turn.troubles.empty());
    }
    INFO(cut);
    REQUIRE(heard == wanted);
    REQUIRE(conversation.at_rest());
  }
  CHECK(bench.shared->of_writers.taken() == 0);
}

TEST_CASE("what a client asks for, it hears", "[hashserv]") {
  Bench bench;
  CHECK(bench.say(report_of('1', "out")) == mapping('1', '1'));
  const std::string task = R"("method": "m", "taskhash": ")" + hash('1') + "\"";
  CHECK(bench.say("{\"get\": {" + task + "}}\n") == mapping('1', '1'));
  CHECK(bench.say("{\"get\": {\"method\": \"n\", \"taskhash\": \"x\"}}\n") == "null\n");
  const std::string row =
      R"({"method":"m","taskhash":")" + hash('1') +
      R"(","outhash":"out","created":"2023-11-14T22:13:20.000000","owner":null,"PN":"zlib",)" +
      R"("PV":null,"PR":null,"task":null,"outhash_siginfo":null)";
  const std::string named = R"(,"unihash":")" + hash('1') + R"(","gc_mark":""})";
  CHECK(bench.say("{\"get\": {" + task + ", \"all\": true}}\n") == row + named + "\n");
  CHECK(bench.say("{\"get-outhash\": {\"outhash\": \"out\", " + task + "}}\n") == row + named + "\n");
  CHECK(bench.say("{\"get-outhash\": {\"outhash\": \"out\", \"with_unihash\": false, " + task + "}}\n") ==
        row + "}\n");
  CHECK(bench.say("{\"get-outhash\": {\"outhash\": \"no\", " + task + "}}\n") == "null\n");
  CHECK(bench.say("{\"exists-stream\": null}\n" + hash('1') + "\n" + hash('2') + "\nEND\n") ==
        "\"ok\"\ntrue\nfalse\nok\n");
  const std::string equate =
      R"({"report-equiv": {"method": "m", "taskhash": ")" + hash('2') + R"(", "unihash": ")";
  CHECK(bench.say(equate + hash('1') + "\"}}\n") == mapping('2', '1'));
  CHECK(bench.say(equate + hash('3') + "\"}}\n") == mapping('2', '1'));
  CHECK(bench.say("{\"get-db-usage\": {}}\n") ==
        R"({"usage":{"unihashes":{"rows":2},"outhashes":{"rows":1}}})"
        "\n");
  CHECK(bench.say("{\"backfill-wait\": null}\n") == "{\"tasks\":0}\n");
  CHECK(bench.say("{\"gc-status\": {}}\n") == "{\"keep\":2,\"remove\":0,\"mark\":null}\n");
  CHECK(bench.say("{\"gc-mark-stream\": null}\n{\"mark\": \"a\", \"where\": {\"taskhash\": \"" + hash('1') +
                  "\", \"unihash\": null}}\n{\"mark\": \"a\", \"where\": {}}\nEND\n") ==
        "\"ok\"\n{\"count\":1}\n{\"count\":0}\nok\n");
  CHECK(bench.say("{\"gc-sweep\": {\"mark\": \"b\"}}\n") ==
        R"({"invoke-error":{"message":"'b' is not the current mark. Refusing to sweep"}})"
        "\n[over]");
  CHECK(bench.say("{\"gc-sweep\": {\"mark\": \"a\"}}\n") == "{\"count\":1}\n");
  Allowed cleaner = everything();
  cleaner.owner = "anna";
  Conversation conversation(*bench.shared, "peer");
  const auto turn =
      hear(conversation, k_hello + ("{\"remove\": {\"where\": {\"taskhash\": \"" + hash('1') + "\"}}}\n"),
           cleaner);
  CHECK(turn.output == "{\"count\":2}\n");
  REQUIRE(turn.news.size() == 1);
  CHECK(turn.news.front().starts_with("remove by anna: 2 rows, {\"where\":"));
  for (const char* command : {"new-user", "get-user", "get-all-users", "set-user-perms", "refresh-token",
                              "delete-user", "become-user"})
    CHECK(bench.say("{\"" + std::string(command) + "\": {}}\n").find("larderd token") != std::string::npos);
  CHECK(bench.say("{\"gc-mark-stream\": null}\nno JSON\n").ends_with("A line is no JSON object\"}}\n[over]"));
}

TEST_CASE("only a unihash can be one", "[hashserv]") {
  Bench bench;
  const std::string refusal = "{\"invoke-error\":{\"message\":\"Invalid unihash\"}}\n[over]";
  for (const std::string& unihash : {std::string("abc"), std::string(64, 'A'), hash('a') + " "}) {
    CHECK(bench.say(R"({"report": {"taskhash": "t", "method": "m", "outhash": "o", "unihash": ")" + unihash +
                    "\"}}\n") == refusal);
    CHECK(bench.say(R"({"report-equiv": {"taskhash": "t", "method": "m", "unihash": ")" + unihash +
                    "\"}}\n") == refusal);
  }
  CHECK(bench.say(R"({"report": {"taskhash": "t", "method": "m", "outhash": "o"}})"
                  "\n") == refusal);
  CHECK(bench.known->count()->outhashes == 0);
}

TEST_CASE("who may not report is told what would hold, and nothing is stored", "[hashserv]") {
  Bench bench;
  bench.say(report_of('1', "out"));
  Allowed reader;
  reader.read = true;
  CHECK(bench.say(report_of('2', "out"), reader) == mapping('2', '1'));
  CHECK(bench.say(report_of('3', "other"), reader) == mapping('3', '3'));
  const std::string equate = R"({"report-equiv": {"method": "m", "taskhash": ")";
  CHECK(bench.say(equate + hash('1') + R"(", "unihash": ")" + hash('9') + "\"}}\n", reader) ==
        mapping('1', '1'));
  CHECK(bench.say(equate + hash('4') + R"(", "unihash": ")" + hash('9') + "\"}}\n", reader) ==
        mapping('4', '9'));
  CHECK(bench.say(report_of('1', "another"), reader) == mapping('1', '1'));  // as it is called already
  CHECK(bench.known->count()->outhashes == 1);
  CHECK(bench.known->count()->unihashes == 1);
  CHECK(bench.shared->unkept == 5);
  Conversation conversation(*bench.shared, "peer");
  CHECK(hear(conversation, k_hello + report_of('5', "x"), reader)
            .troubles.empty());  // it was told within this hour
  bench.clock.advance(3601);
  CHECK(hear(conversation, report_of('5', "x"), reader).troubles.size() == 1);
  CHECK(hear(conversation, report_of('5', "x"), reader).troubles.empty());
  for (const char* command : {"remove", "gc-mark", "gc-sweep", "gc-status", "gc-mark-stream", "clean-unused",
                              "get-db-usage", "get-db-query-columns", "reset-stats"}) {
    const std::string heard =
        bench.say("{\"" + std::string(command) + "\": {\"where\": {\"method\": \"m\"}}}\n", reader);
    INFO(heard);
    CHECK(heard.starts_with("{\"invoke-error\":{\"message\":\"Anonymous is not allowed to " +
                            std::string(command)));
    CHECK(heard.ends_with("[over]"));
  }
  CHECK(bench.known->count()->outhashes == 1);
  for (const char* command : {"get", "get-outhash", "get-stream", "exists-stream", "report", "get-stats"})
    CHECK(bench.say("{\"" + std::string(command) + "\": {}}\n", Allowed()).find("@read") !=
          std::string::npos);
  CHECK(bench.say("{\"ping\": {}}\n", Allowed()) == "{\"alive\":true}\n");
}

TEST_CASE("a right that is taken away is gone in the middle of a stream", "[hashserv]") {
  Bench bench;
  for (const char* stream : {"get-stream", "exists-stream", "gc-mark-stream"}) {
    Conversation conversation(*bench.shared, "peer");
    CHECK(Bench::heard(hear(conversation, k_hello + ("{\"" + std::string(stream) + "\": null}\n"),
                            everything())) == "\"ok\"\n");
    CHECK(Bench::heard(hear(conversation, "m a\n", Allowed())) == "[over]");
  }
}

TEST_CASE("large answers come a few at a time", "[hashserv]") {
  Bench bench;
  HashEquivalence::Output output;
  output.task = {"m", hash('1')};
  output.outhash = "out";
  output.details[5] = std::string(100 << 10, 'a');
  REQUIRE(bench.known->report(output, hash('1')));
  std::string said = k_hello;
  constexpr int k_questions = 100;
  for (int i = 0; i < k_questions; ++i)
    said += "{\"get-outhash\": {\"method\": \"m\", \"outhash\": \"out\"}}\n";
  Conversation conversation(*bench.shared, "peer");
  std::size_t bytes = 0;
  int turns = 0;
  for (auto turn = conversation.hear(said, everything());; turn = conversation.go_on()) {
    CHECK(turn.output.size() < (500 << 10));
    CHECK_FALSE(turn.over);
    bytes += turn.output.size();
    ++turns;
    if (!turn.more) break;
  }
  CHECK(bytes > k_questions * (100 << 10));
  CHECK(turns > 30);
  CHECK(conversation.at_rest());
}

TEST_CASE("without room on the disk builds are answered, and nothing is stored", "[hashserv]") {
  Bench bench;
  bench.say(report_of('1', "out"));
  bench.shared.reset();
  bench.known.reset();
  bool full = true;
  auto opened = HashEquivalence::open(bench.directory.path() / "known", bench.clock, Durability::batch,
                                      [&full](std::uint64_t) { return !full; });
  REQUIRE(opened);
  bench.known = std::move(*opened);
  bench.shared.emplace(*bench.known, bench.clock);
  CHECK(bench.say(report_of('1', "another")) == mapping('1', '1'));
  CHECK(bench.say(report_of('2', "out")) == mapping('2', '1'));
  CHECK(bench.say(report_of('3', "third")) == mapping('3', '3'));
  CHECK(bench.say(R"({"report-equiv": {"method": "m", "taskhash": "t", "unihash": ")" + hash('1') +
                  "\"}}\n") == R"({"taskhash":"t","method":"m","unihash":")" + hash('1') + "\"}\n");
  CHECK(bench.known->count()->outhashes == 1);
  // It is told once, until there is room again.
  CHECK(bench.shared->unkept == 4);
  Conversation conversation(*bench.shared, "peer");
  CHECK(hear(conversation, k_hello + report_of('4', "x"), everything()).troubles.empty());
  full = false;
  CHECK(hear(conversation, report_of('4', "x"), everything()).troubles.empty());
  full = true;
  CHECK(hear(conversation, report_of('5', "y"), everything()).troubles.size() == 1);
  CHECK(bench.say("{\"remove\": {\"where\": {\"method\": \"m\"}}}\n") ==
        "{\"count\":4}\n");  // that makes room
}

TEST_CASE("what is said behind a login waits for it", "[hashserv]") {
  Bench bench;
  Conversation conversation(*bench.shared, "peer");
  const std::string said = k_hello +
                           std::string("{\"auth\": {\"username\": \"ci\", \"token\": \"secret\"}}\n") +
                           report_of('1', "out");
  auto turn = hear(conversation, said, Allowed());
  REQUIRE(turn.login);
  CHECK(turn.login->user == "ci");
  CHECK(turn.login->token == "secret");
  CHECK(turn.output.empty());
  Allowed writer = everything();
  writer.clean = false;
  writer.owner = "ci";
  turn = finish(conversation, conversation.logged_in(writer));
  CHECK(turn.output == "{\"result\":true,\"username\":\"ci\",\"permissions\":[\"@read\",\"@report\"]}\n" +
                           mapping('1', '1'));
  CHECK((*bench.known->output_of({"m", hash('1')}))->output.details[0] == "ci");

  turn = hear(conversation, "{\"auth\": {\"username\": \"ci\", \"token\": \"x\"}}\n{\"ping\": {}}\n", writer);
  REQUIRE(turn.login);
  CHECK(Bench::heard(conversation.refuse_login()) ==
        "{\"invoke-error\":{\"message\":\"Unable to authenticate as ci\"}}\n[over]");
}

TEST_CASE("a message that does not end is cut off, and its room given back", "[hashserv]") {
  Bench bench;
  {
    Conversation conversation(*bench.shared, "peer");
    std::string said = k_hello + std::string("{\"chunk-stream\": null}\n");
    const std::string chunk = std::string(32 << 10, 'a') + "\n";
    bool over = false;
    std::size_t chunks = 0;
    for (; !over && chunks < 2000; ++chunks) {
      over = hear(conversation, chunks == 0 ? said + chunk : chunk, everything()).over;
    }
    CHECK(over);
    CHECK(chunks == k_longest_message / (32 << 10) + 1);
  }
  CHECK(bench.shared->of_writers.taken() == 0);

  // Others have all the room.
  constexpr std::size_t k_piece = 1 << 20;
  int pieces = 0;
  while (bench.shared->of_others.take("peer " + std::to_string(pieces % 10), k_piece)) ++pieces;
  const std::uint64_t taken = bench.shared->of_others.taken();
  CHECK(taken == 128 << 20);
  Allowed reader;
  reader.read = true;
  const std::string long_one(4000, ' ');
  CHECK(bench.say("{\"chunk-stream\": null}\n" + long_one + "a\n", reader) == "[over]");
  CHECK(bench.shared->of_others.taken() == taken);
  CHECK(bench.say("{\"chunk-stream\": null}\n{\"ping\": 1}\n\n") == "{\"alive\":true}\n");
  CHECK(bench.say(std::string(k_longest_line + 1, ' ')) == "[over]");
}

TEST_CASE("one address has a quarter of the room", "[hashserv]") {
  Room room(400);
  CHECK(room.take("a", 60));
  CHECK_FALSE(room.take("a", 60));
  CHECK(room.take("a", 40));
  for (const char* peer : {"b", "c", "d"}) CHECK(room.take(peer, 100));
  CHECK_FALSE(room.take("e", 1));
  room.give_back("a", 100);
  CHECK(room.take("e", 100));
  CHECK(room.taken() == 400);
}

TEST_CASE("requests are counted and timed", "[hashserv]") {
  Bench bench;
  bench.say("{\"ping\": {}}\n{\"get-stream\": null}\nm a\nm b\nEND\n");
  const auto told = bench.shared->statistics.told();
  CHECK(told.at("requests").at("num").as_uint64() == 3);
  CHECK(told.at("requests").at("max_time").as_double() <= told.at("requests").at("total_time").as_double());
  CHECK(bench.say("{\"reset-stats\": null}\n").starts_with("{\"requests\":{\"num\":3,"));
  CHECK(bench.shared->statistics.told().at("requests").at("num").as_uint64() == 1);
  CHECK(bench.shared->statistics.ever() == 4);
}
