// A stream gives the same commands wherever it is cut; whatever the session is in,
// every command has an answer that is one reply.
#include "server/ftp/command.hpp"

#include <vector>

#include "server/ftp/control.hpp"
#include "server/ftp/reply.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace larder::ftp;
using larder::fuzz::demand;

namespace {

std::vector<Command> commands_of(std::string_view bytes, std::size_t piece) {
  CommandReader reader;
  std::vector<Command> all;
  while (!bytes.empty()) {
    std::string_view fed = bytes.substr(0, piece);
    bytes.remove_prefix(fed.size());
    while (!fed.empty()) {
      const CommandReader::Step step = reader.feed(fed);
      demand(step.consumed > 0 && step.consumed <= fed.size(), "a reader moves on");
      demand(step.complete || step.consumed == fed.size(), "a reader takes everything or has a command");
      fed.remove_prefix(step.consumed);
      if (step.complete) all.push_back(reader.command());
    }
  }
  return all;
}

void demand_one_reply(int code, std::string_view text) {
  std::string reply;
  append_reply(reply, code, text);
  const std::string last = "\n" + std::to_string(code) + " ";
  const auto end = ("\n" + reply).rfind(last);
  demand(end != std::string::npos, "a reply has a last line");
  demand(("\n" + reply).find(last) == end, "and only one");
  demand(reply.ends_with("\r\n") && reply.find('\n', end) == reply.size() - 1, "with which it ends");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = larder::fuzz::text_of(data, size);
  const std::size_t piece = larder::fuzz::take_number(input, 1) + 1;
  const auto whole = commands_of(input, input.size() + 1);
  const auto cut = commands_of(input, piece);
  demand(whole.size() == cut.size(), "cuts change nothing");

  Control control(piece % 2 == 0 ? Family::v4 : Family::v6);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    demand(whole[i].argument == cut[i].argument && whole[i].verb == cut[i].verb, "cuts change nothing");
    demand(whole[i].argument.size() < k_max_line, "an argument is shorter than a line");
    const Action action = control.on(whole[i]);
    const bool says = action.kind == Action::Kind::reply || action.kind == Action::Kind::goodbye;
    demand(!says || (action.code >= 200 && action.code < 600), "a reply has a code");
    if (action.code != 0) demand_one_reply(action.code, action.text);
    demand(action.path.empty() || action.path.front() == '/', "paths are absolute");
    if (action.kind == Action::Kind::enter) control.entered(action.path);
    if (action.kind == Action::Kind::rename_from) control.renaming(action.path);
    if (action.kind == Action::Kind::open_passive) control.data_is(DataMode::passive);
  }
  return 0;
}
