#include "server/store/upload_journal.hpp"

#include <atomic>
#include <set>
#include <thread>

#include "common/hasher.hpp"
#include "server/store/layout.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/faulty_file_system.hpp"
#include "tests/support/memory_file_system.hpp"

using namespace larder;

namespace {

struct Bench {
  Bench() { REQUIRE(memory.make_directory(layout::k_journal)); }

  std::unique_ptr<UploadJournal> open(UploadJournal::Limits limits = {}) {
    auto journal = UploadJournal::open(disk, limits);
    REQUIRE(journal);
    return std::move(*journal);
  }
  static Result<UploadJournal::Pending> append(UploadJournal& journal, const std::string& key,
                                               const std::string& body) {
    NameRecord name;
    name.digest = Hasher::of(body);
    name.size = body.size();
    UploadJournal::Entry entry;
    entry.key = key;
    entry.name = &name;
    entry.body = std::as_bytes(std::span(body));
    return journal.append(std::span(&entry, 1));
  }
  std::vector<std::string> keys_after_power_cut() {
    memory.crash(MemoryFileSystem::Loss::everything);
    const auto leftovers = UploadJournal::read(memory);
    REQUIRE(leftovers);
    std::vector<std::string> keys;
    for (const auto& each : *leftovers) keys.push_back(each.record.key);
    return keys;
  }

  MemoryFileSystem memory;
  FaultyFileSystem disk{memory};
};

using Keys = std::vector<std::string>;

UploadJournal::Limits of_records(std::size_t records) {
  UploadJournal::Limits limits;
  limits.records = records;
  return limits;
}

}  // namespace

TEST_CASE("what was appended survives a power cut, in its order", "[journal]") {
  Bench bench;
  const auto journal = bench.open();
  REQUIRE(Bench::append(*journal, "generic/b", "one"));
  REQUIRE(Bench::append(*journal, "generic/a", "two"));
  CHECK(bench.keys_after_power_cut() == Keys{"generic/b", "generic/a"});
  const auto leftovers = UploadJournal::read(bench.memory);
  REQUIRE(leftovers);
  const auto body = UploadJournal::body_of(bench.memory, leftovers->back());
  REQUIRE(body);
  CHECK(*body == "two");
  REQUIRE(UploadJournal::clear(bench.memory));
  CHECK(bench.keys_after_power_cut().empty());
}

TEST_CASE("a full segment is made superfluous, and those that follow go to the other one", "[journal]") {
  Bench bench;
  const auto journal = bench.open(of_records(2));
  for (int i = 0; i < 5; ++i)
    REQUIRE(Bench::append(*journal, "generic/" + std::to_string(i), std::to_string(i)));
  CHECK(bench.keys_after_power_cut() == Keys{"generic/4"});
}

TEST_CASE("a segment is kept until what it tells of has been placed", "[journal]") {
  Bench bench;
  const auto journal = bench.open(of_records(1));
  {
    const auto pending = Bench::append(*journal, "generic/0", "0");
    REQUIRE(pending);
    REQUIRE(Bench::append(*journal, "generic/1", "1"));
    CHECK(bench.keys_after_power_cut() == Keys{"generic/0", "generic/1"});
  }
  CHECK(bench.keys_after_power_cut() == Keys{"generic/1"});
}

TEST_CASE("a settled name or content is not in the journal any more", "[journal]") {
  Bench bench;
  const auto journal = bench.open();
  REQUIRE(Bench::append(*journal, "generic/a", "one"));
  REQUIRE(journal->settle("generic/b", Hasher::of("two")));  // neither is there
  CHECK(bench.keys_after_power_cut() == Keys{"generic/a"});
  const bool by_name = GENERATE(true, false);
  REQUIRE(journal->settle(by_name ? "generic/a" : "generic/b", Hasher::of(by_name ? "two" : "one")));
  CHECK(bench.keys_after_power_cut().empty());
  REQUIRE(Bench::append(*journal, "generic/c", "three"));
  CHECK(bench.keys_after_power_cut() == Keys{"generic/c"});
  REQUIRE(journal->settle_all());
  CHECK(bench.keys_after_power_cut().empty());
}

TEST_CASE("what could not be written is refused, and does not stand in the way of the next", "[journal]") {
  Bench bench;
  const auto journal = bench.open();
  REQUIRE(Bench::append(*journal, "generic/a", "one"));
  const std::uint64_t nth = GENERATE(1, 2);  // the write, the sync
  bench.disk.fail(nth, FaultyFileSystem::Mode::once, EIO);
  REQUIRE_FALSE(Bench::append(*journal, "generic/b", std::string(3000, 'b')));
  REQUIRE(Bench::append(*journal, "generic/c", "three"));
  CHECK(bench.keys_after_power_cut() == Keys{"generic/a", "generic/c"});
}

TEST_CASE("once a sync has lost writes nothing is forgotten any more", "[journal]") {
  Bench bench;
  const auto journal = bench.open();
  REQUIRE(Bench::append(*journal, "generic/a", "one"));
  bench.disk.fail(1, FaultyFileSystem::Mode::once, EIO);
  CHECK_FALSE(journal->settle("generic/a", Hasher::of("one")));
  // Asked again the kernel would say that all is well.
  CHECK_FALSE(journal->settle("generic/a", Hasher::of("one")));
  CHECK_FALSE(Bench::append(*journal, "generic/b", "two"));
  // The next start knows that memory may show what the disk does not have, until it has looked.
  CHECK(bench.memory.status(layout::k_journal_lost));
  CHECK(bench.keys_after_power_cut() == Keys{"generic/a"});
  REQUIRE(UploadJournal::clear(bench.memory));
  CHECK_FALSE(bench.memory.status(layout::k_journal_lost));
}

TEST_CASE("a header that could not be written is written again by who needs it", "[journal]") {
  Bench bench;
  const auto journal = bench.open();
  REQUIRE(Bench::append(*journal, "generic/a", "one"));
  const std::uint64_t nth = GENERATE(2, 3);  // the header, its sync
  bench.disk.fail(nth, FaultyFileSystem::Mode::once, EIO);
  (void)journal->settle("generic/a", Hasher::of("one"));
  REQUIRE(journal->settle("generic/a", Hasher::of("one")));
  CHECK(bench.keys_after_power_cut().empty());
  REQUIRE(Bench::append(*journal, "generic/b", "two"));
  CHECK(bench.keys_after_power_cut() == Keys{"generic/b"});
}

TEST_CASE("a journal that could not be cleared to its end tells of nothing that was replaced", "[journal]") {
  bool struck = true;
  for (std::uint64_t nth = 1; struck; ++nth) {
    REQUIRE(nth < 20);
    Bench bench;
    const auto journal = bench.open(of_records(1));
    REQUIRE(Bench::append(*journal, "ns/other", "other"));  // makes the first segment the later one
    const auto before = Bench::append(*journal, "ns/name", "before");
    const auto after = Bench::append(*journal, "ns/name", "after");
    REQUIRE(before);
    REQUIRE(after);
    bench.disk.fail(nth, FaultyFileSystem::Mode::from_then_on, EIO);
    const bool cleared = UploadJournal::clear(bench.disk).ok();
    struck = bench.disk.struck();
    INFO("operation " << nth);
    CHECK(cleared != struck);
    const auto leftovers = UploadJournal::read(bench.memory);
    REQUIRE(leftovers);
    if (cleared) CHECK(leftovers->empty());
    if (!leftovers->empty()) CHECK(leftovers->back().record.name.digest == Hasher::of("after"));
  }
}

TEST_CASE("many threads share a journal of few records", "[journal]") {
  Bench bench;
  const auto journal = bench.open(of_records(5));
  constexpr int k_threads = 8;
  constexpr int k_each = 40;
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < k_threads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < k_each; ++i) {
        const std::string key = "generic/" + std::to_string(thread) + "/" + std::to_string(i);
        if (!Bench::append(*journal, key, key)) ++refused;
        if (i % 7 == 0 && !journal->settle(key, Hasher::of(key))) ++refused;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  CHECK(refused == 0);
  const Keys left = bench.keys_after_power_cut();
  CHECK(left.size() <= 5);
  CHECK(std::set<std::string>(left.begin(), left.end()).size() == left.size());
}
