// Sizes and durations from configuration files and command lines.
#include "common/units.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace larder;
using larder::fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = fuzz::text_of(data, size);
  if (const auto bytes = parse_byte_size(text)) {
    demand(bytes->bytes <= std::uint64_t{1} << 63, "no size goes past 2^63");
    demand(parse_byte_size(std::to_string(bytes->bytes))->bytes == bytes->bytes, "a size in bytes is exact");
    demand(parse_byte_size(human_size(bytes->bytes)).ok(), "a size that is written can be read");
  }
  if (const auto duration = parse_duration(text)) {
    demand(duration->count() >= 0, "no duration is negative");
    demand(*parse_duration(std::to_string(duration->count()) + "ms") == *duration, "milliseconds are exact");
    demand(!human_duration(*duration).empty(), "every duration can be written");
  }
  const std::uint64_t number = fuzz::take_number(text, 8);
  human_size(number);
  human_duration(std::chrono::milliseconds(static_cast<std::int64_t>(number)));
  return 0;
}
