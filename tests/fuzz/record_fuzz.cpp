// Rows of the index, as a disk that lies may give them back: index, ledger, trash, cursors.
#include "server/store/records.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace larder;
using larder::fuzz::demand;

namespace {

template <typename Record>
void check(std::string_view bytes, std::optional<Record> (*decode)(std::string_view)) {
  const auto record = decode(bytes);
  if (record) demand(encode(*record) == bytes, "only what encode() writes is read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  check(bytes, &decode_name);
  check(bytes, &decode_object);
  check(bytes, &decode_recency);
  check(bytes, &decode_ledger);
  check(bytes, &decode_cursor);
  check(bytes, &decode_totals);
  check(bytes, &decode_trash);
  if (const auto sequence = decode_sequence(bytes))
    demand(encode_sequence(*sequence) == bytes, "a ledger key is its number");
  return 0;
}
