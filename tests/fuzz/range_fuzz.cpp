// A slice lies within its object, and only a start behind the end is refused.
#include "server/http/range.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace larder::http;
using larder::fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = larder::fuzz::text_of(data, size);
  const std::uint64_t object_size = larder::fuzz::take_number(input, 8);

  const RangeDecision decision = parse_range(input, object_size);

  if (decision.kind == RangeDecision::Kind::slice) {
    demand(decision.length > 0, "a slice is not empty");
    demand(decision.first < object_size, "a slice starts within the object");
    demand(decision.length <= object_size - decision.first, "a slice ends within the object");
    const std::string again = "bytes=" + std::to_string(decision.first) + "-" +
                              std::to_string(decision.first + decision.length - 1);
    demand(parse_range(again, object_size) == decision, "a slice can be asked for by its ends");
  } else {
    demand(decision.first == 0 && decision.length == 0, "only slices have bounds");
  }
  demand(!content_range(decision, object_size).empty(), "there is always a Content-Range");
  return 0;
}
