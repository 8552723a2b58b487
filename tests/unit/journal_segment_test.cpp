#include "server/store/journal_segment.hpp"

#include "common/hasher.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/memory_file_system.hpp"

using namespace larder;

namespace {

const std::string k_path = "segment";

NameRecord record_of(const std::string& body) {
  NameRecord name;
  name.digest = Hasher::of(body);
  name.size = body.size();
  name.stored = 1'700'000'000;
  name.uploader = "192.0.2.7";
  return name;
}

JournalHeader header() {
  JournalHeader made;
  made.epoch = 7;
  made.seed = Hasher::of("a seed");
  return made;
}

struct Upload {
  std::string key;
  std::string body;
};

const std::vector<Upload> k_uploads = {
    {"sstate-cache/ab/cd/sstate:a.tar.zst", std::string(700, 'a')},
    {"generic/b", "b"},
    {"generic/a/long/way/to/c.siginfo", std::string(3000, 'c')},
};

std::string segment_of(const std::vector<Upload>& uploads, Digest chain = header().seed) {
  std::string bytes = encode_journal_header(header());
  bytes.resize(k_first_journal_record, '\0');
  for (const Upload& each : uploads) {
    std::string head = encode_journal_record(each.key, record_of(each.body));
    chain = chain_journal_record(head, chain);
    bytes += head + each.body;
  }
  return bytes;
}

std::optional<JournalContent> read(const std::string& bytes) {
  MemoryFileSystem disk;
  const auto written = disk.create(k_path);
  REQUIRE(written);
  REQUIRE((*written)->append(std::as_bytes(std::span(bytes))));
  auto content = read_journal_segment(**written);
  REQUIRE(content);
  return std::move(*content);
}

}  // namespace

TEST_CASE("a journal's header is read as it was written, and no other bytes are one", "[journal]") {
  const std::string bytes = encode_journal_header(header());
  REQUIRE(bytes.size() == size_of_journal_header());
  const auto decoded = decode_journal_header(bytes);
  REQUIRE(decoded);
  CHECK(*decoded == header());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string other = bytes;
    other[i] = static_cast<char>(other[i] ^ 1);
    INFO("byte " << i);
    CHECK_FALSE(decode_journal_header(other));
    CHECK_FALSE(decode_journal_header(std::string_view(bytes).substr(0, i)));
  }
  CHECK_FALSE(decode_journal_header(bytes + " "));
}

TEST_CASE("a segment's records are read as they were written", "[journal]") {
  const std::string bytes = segment_of(k_uploads);
  const auto content = read(bytes);
  REQUIRE(content);
  CHECK(content->header == header());
  REQUIRE(content->records.size() == k_uploads.size());
  for (std::size_t i = 0; i < k_uploads.size(); ++i) {
    const JournalRecord& record = content->records[i];
    CHECK(record.key == k_uploads[i].key);
    CHECK(record.name == record_of(k_uploads[i].body));
    CHECK(bytes.substr(record.body_at, record.name.size) == k_uploads[i].body);
  }
}

TEST_CASE("a segment that was never used has no records", "[journal]") {
  CHECK_FALSE(read(""));
  CHECK_FALSE(read(std::string(10000, '\0')));
  const auto empty = read(encode_journal_header(header()));
  REQUIRE(empty);
  CHECK(empty->records.empty());
}

TEST_CASE("a segment that was cut anywhere gives the records before the cut", "[journal]") {
  const std::string bytes = segment_of(k_uploads);
  const auto whole = read(bytes);
  REQUIRE(whole);
  for (std::size_t cut = k_first_journal_record; cut < bytes.size(); cut += 13) {
    INFO("cut at " << cut);
    std::size_t expected = 0;
    for (const JournalRecord& each : whole->records) expected += each.body_at + each.name.size <= cut ? 1 : 0;
    const auto content = read(bytes.substr(0, cut));
    REQUIRE(content);
    CHECK(content->records.size() == expected);
    // A power cut leaves anything behind what was synced, zeros above all.
    const auto zeros = read(bytes.substr(0, cut) + std::string(bytes.size() - cut, '\0'));
    REQUIRE(zeros);
    CHECK(zeros->records.size() == expected);
  }
}

TEST_CASE("what an earlier use of a segment left does not count", "[journal]") {
  const std::string before = segment_of(k_uploads, Hasher::of("another seed"));
  const std::string now = segment_of({k_uploads.front()});
  const auto content = read(now + before.substr(now.size()));
  REQUIRE(content);
  REQUIRE(content->records.size() == 1);
  CHECK(content->records.front().key == k_uploads.front().key);
}

TEST_CASE("a record that does not continue the chain ends a segment, a spoilt body is passed over",
          "[journal]") {
  const std::string bytes = segment_of(k_uploads);
  const auto whole = read(bytes);
  REQUIRE(whole);
  std::string spoilt = bytes;
  spoilt[whole->records[0].body_at + 5] = '!';
  auto content = read(spoilt);
  REQUIRE(content);
  CHECK(content->records.size() == 2);
  spoilt = bytes;
  spoilt[whole->records[1].body_at - 1] = '!';  // of what the record says of itself
  content = read(spoilt);
  REQUIRE(content);
  CHECK(content->records.size() == 1);
}
