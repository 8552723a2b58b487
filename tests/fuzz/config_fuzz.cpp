// Configuration files and variables: whatever they hold, every defect is told and nothing breaks.
#include "server/config.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace larder;
using larder::fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  ConfigResult result = parse_config(text, "f.yaml");
  check_config(result);
  for (const ConfigDefect& each : result.defects) demand(!each.message.empty(), "a defect is told in words");

  ConfigResult from_environment;
  const std::string line(text.substr(0, text.find('\0')));
  apply_environment(from_environment, [&] { return std::vector<std::string>{"LARDER_" + line}; });
  check_config(from_environment);
  for (const ConfigDefect& each : from_environment.defects)
    demand(!to_string(each).empty(), "a defect is told in words");
  return 0;
}
