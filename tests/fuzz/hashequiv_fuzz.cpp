// What a client of hash equivalence says: it is heard the same wherever it was cut, and every answer can be
// read.
#include "server/hashequiv/conversation.hpp"

#include <limits>

#include "tests/fuzz/fuzz.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;
using namespace larder::hashequiv;
using larder::fuzz::demand;

namespace {

struct World {
  World() {
    auto opened = HashEquivalence::open(directory.path() / "known", clock, Durability::none);
    demand(opened.ok(), "a database can be made");
    known = std::move(*opened);
  }
  TemporaryDirectory directory{TemporaryDirectory::Where::in_memory};
  ManualClock clock;
  std::unique_ptr<HashEquivalence> known;
};

std::string heard(Shared& shared, const std::vector<std::string>& pieces, const Allowed& allowed) {
  Conversation conversation(shared, "peer");
  std::string output;
  for (const std::string& piece : pieces) {
    Conversation::Turn turn = conversation.hear(piece, allowed);
    output += turn.output;
    while ((turn.login || turn.more) && !turn.over) {
      turn = turn.login ? conversation.logged_in(allowed) : conversation.go_on();
      output += turn.output;
    }
    demand(turn.troubles.empty(), "nothing a client says is trouble with the database");
    if (turn.over) return output + "[over]";
  }
  return output;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  if (size == 0) return 0;
  const std::size_t cut = data[0] % size;
  const std::string said = "OEHASHEQUIV 1.1\n\n" + std::string(fuzz::text_of(data + 1, size - 1));
  Shared shared(*world.known, world.clock);
  shared.next_warning = std::numeric_limits<UnixSeconds>::max();  // of reports that are not kept
  Allowed reader;
  reader.read = true;
  const std::string whole = heard(shared, {said}, reader);
  const bool tells_times = said.find("stats") != std::string::npos;
  demand(tells_times || whole == heard(shared, {said.substr(0, cut), said.substr(cut)}, reader),
         "a cut changes nothing");
  Allowed writer = reader;
  writer.report = writer.clean = true;
  writer.owner = "fuzzer";
  const std::string told = heard(shared, {said.substr(0, cut), said.substr(cut)}, writer);
  for (const std::string& each : {whole, told}) {
    for (const char c : each) demand(c == '\n' || (c >= ' ' && c < 127), "answers are lines of ASCII");
    LineReader lines;
    lines.feed(each);
    while (const auto line = lines.next())
      demand(!line->starts_with('{') || parse_message(*line), "an answer that begins as JSON is JSON");
  }
  demand(shared.of_writers.taken() == 0 && shared.of_others.taken() == 0, "what is over takes no room");
  return 0;
}
