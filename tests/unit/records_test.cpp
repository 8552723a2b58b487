#include "server/store/records.hpp"

#include "common/hasher.hpp"
#include "tests/support/catch.hpp"

using namespace larder;

namespace {

NameRecord name_record() {
  NameRecord record;
  record.digest = Hasher::of("content");
  record.size = 7;
  record.stored = 1'700'000'000;
  record.declared = true;
  record.uploader = "192.0.2.7";
  return record;
}

// Reads back as it was, and not when a byte is missing, left over or of another version.
template <typename Record>
void check_record(const Record& record, std::optional<Record> (*decode)(std::string_view)) {
  const std::string bytes = encode(record);
  CHECK(decode(bytes) == record);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    INFO(length);
    CHECK_FALSE(decode(std::string_view(bytes).substr(0, length)));
  }
  CHECK_FALSE(decode(bytes + '\0'));
  std::string foreign = bytes;
  foreign[0] = static_cast<char>(foreign[0] + 1);
  CHECK_FALSE(decode(foreign));
}

}  // namespace

TEST_CASE("records of the index read back as they were written, and nothing else does", "[store]") {
  check_record(name_record(), &decode_name);
  check_record(NameRecord{}, &decode_name);
  check_record(ObjectRecord{9, 1'700'000'001, "sstate-cache"}, &decode_object);
  check_record(RecencyRecord{1, 2}, &decode_recency);
  check_record(LedgerRecord{3, LedgerAction::empty, "@trash/7", Digest(), 1, "larderd", "space is needed"},
               &decode_ledger);
  check_record(LedgerRecord{3, LedgerAction::conflict, "sstate-cache/ab/x", Hasher::of("x"), 1, "ci", "PUT"},
               &decode_ledger);
  check_record(TrashRecord{name_record(), 5, "larderd", "unused for 30d"}, &decode_trash);
  check_record(NamespaceTotals{1, 2, 3, 4}, &decode_totals);
  ScrubCursor cursor;
  cursor.phase = 2;
  cursor.position = "ab";
  cursor.last_defects = 1;
  check_record(cursor, &decode_cursor);
}

TEST_CASE("a flag of a record is 0 or 1", "[store]") {
  const std::string bytes = encode(name_record());
  std::size_t accepted = 0;
  std::string damaged = bytes;
  const std::size_t flag = 1;  // behind the version
  for (int value = 0; value < 256; ++value) {
    damaged[flag] = static_cast<char>(value);
    if (decode_name(damaged)) ++accepted;
  }
  CHECK(accepted == 2);
}

TEST_CASE("ledger keys sort by age", "[store]") {
  CHECK(encode_sequence(255) < encode_sequence(256));
  CHECK(decode_sequence(encode_sequence(77)) == 77U);
  CHECK_FALSE(decode_sequence("1234567"));
  CHECK_FALSE(decode_sequence("123456789"));
}
