#include "server/store/store.hpp"

#include <thread>

#include "server/store/layout.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

const std::string k_name = "sstate-cache/ab/cd/sstate:x.tar.zst";

}  // namespace

TEST_CASE("what was put is found, read and described", "[store]") {
  StoreBench bench;
  bench.clock.set(1'234'567'890);
  const auto receipt = bench.put(k_name, "content");
  REQUIRE(receipt);
  CHECK(receipt->outcome == Receipt::Outcome::created);

  const auto entry = bench.store->stat(bench.key(k_name));
  REQUIRE(entry);
  CHECK(entry->digest == Hasher::of("content"));
  CHECK(entry->size == 7);
  CHECK(entry->stored == 1'234'567'890);
  CHECK(*bench.get(k_name) == "content");
  Entry peeked;
  CHECK(bench.store->peek(bench.key(k_name), peeked) == Index::Found::hit);
  CHECK(peeked == *entry);
  CHECK(bench.store->peek(bench.key("sstate-cache/other"), peeked) == Index::Found::miss);
}

TEST_CASE("an object is sealed and stored once however many names it has", "[store]") {
  StoreBench bench;
  for (int i = 0; i < 5; ++i) REQUIRE(bench.put("sstate-cache/n" + std::to_string(i), "the same bytes"));
  const auto objects = bench.files_below("objects/");
  REQUIRE(objects.size() == 1);
  CHECK(objects[0] == layout::object_path(Hasher::of("the same bytes"), 0));
  CHECK(bench.memory.links(objects[0]) == 6);
  CHECK(bench.memory.status(objects[0])->mode == 0444);
  const auto stat = bench.store->totals();
  CHECK(stat->objects == 1);
  CHECK(stat->logical_bytes == 5 * 14);
  CHECK(stat->physical_bytes == 14);
}

TEST_CASE("the same bytes again are fine, other bytes are a conflict", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "first"));
  CHECK(bench.put(k_name, "first")->outcome == Receipt::Outcome::present);

  const auto conflict = bench.put(k_name, "second");
  REQUIRE(conflict);
  CHECK(conflict->outcome == Receipt::Outcome::conflict);
  CHECK(conflict->entry.digest == Hasher::of("first"));
  CHECK(conflict->offered == Hasher::of("second"));
  CHECK(*bench.get(k_name) == "first");
  CHECK(bench.files_below("objects/").size() == 1);
}

TEST_CASE("a declared digest settles an upload before its first byte", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "first"));
  UploadRequest request;
  request.declared = Hasher::of("first");
  CHECK(bench.store->begin_upload(bench.key(k_name), request)->settled->outcome == Receipt::Outcome::present);
  request.declared = Hasher::of("second");
  CHECK(bench.store->begin_upload(bench.key(k_name), request)->settled->outcome ==
        Receipt::Outcome::conflict);
}

TEST_CASE("bytes that are not the declared ones are refused", "[store]") {
  StoreBench bench;
  const auto receipt = bench.put(k_name, "content", Hasher::of("other"));
  REQUIRE_FALSE(receipt);
  CHECK(receipt.error().code() == Errc::digest_mismatch);
  CHECK(bench.memory.files() == std::vector<std::string>{"format", "journal/0", "journal/1"});
}

TEST_CASE("a growing tarball is replaced, and its old bytes go", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/git2_a.tar.gz", "old"));
  CHECK(bench.put("downloads/git2_a.tar.gz", "new and longer")->outcome == Receipt::Outcome::replaced);
  CHECK(*bench.get("downloads/git2_a.tar.gz") == "new and longer");
  CHECK(bench.files_below("objects/").size() == 1);
  CHECK(bench.store->totals()->physical_bytes == 14);
  CHECK(bench.put("downloads/git2_a.tar.gz", "new and longer")->outcome == Receipt::Outcome::present);
  CHECK(bench.put("downloads/a-1.0.tar.gz", "one")->outcome == Receipt::Outcome::created);
  CHECK(bench.put("downloads/a-1.0.tar.gz", "two")->outcome == Receipt::Outcome::conflict);
}

TEST_CASE("create-only uploads fail on an existing name, same bytes or not", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "first"));
  UploadRequest request;
  request.create_only = true;
  const auto start = bench.store->begin_upload(bench.key(k_name), request);
  REQUIRE_FALSE(start);
  CHECK(start.error().code() == Errc::precondition);
}

TEST_CASE("an upload is seen by nobody before it is committed", "[store]") {
  StoreBench bench;
  UploadRequest request;
  auto start = bench.store->begin_upload(bench.key(k_name), request);
  REQUIRE(start->upload->append(std::as_bytes(std::span(std::string_view("half")))));
  CHECK_FALSE(bench.has(k_name));
  CHECK(bench.store->list_names("sstate-cache", "", 10)->paths.empty());
  CHECK_FALSE(bench.store->is_directory("sstate-cache", "ab").value());
  start->upload.reset();
  CHECK(bench.files_below("tmp/").empty());
}

TEST_CASE("of uploads that race for a name, one wins", "[store]") {
  StoreBench bench;
  UploadRequest request;
  auto first = bench.store->begin_upload(bench.key(k_name), request);
  auto second = bench.store->begin_upload(bench.key(k_name), request);
  REQUIRE(first->upload->append(std::as_bytes(std::span(std::string_view("one")))));
  REQUIRE(second->upload->append(std::as_bytes(std::span(std::string_view("two")))));
  CHECK(second->upload->commit()->outcome == Receipt::Outcome::created);
  CHECK(first->upload->commit()->outcome == Receipt::Outcome::conflict);
  CHECK(*bench.get(k_name) == "two");
}

TEST_CASE("many threads put, read and remove the same few names without damage", "[store]") {
  StoreBench bench;
  std::vector<std::thread> threads;
  std::atomic<int> damaged{0};
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 60; ++round) {
        const std::string name = "generic/d" + std::to_string(round % 3) + "/n" + std::to_string(round % 5);
        const std::string content = std::string(5000, static_cast<char>('a' + (thread + round) % 4));
        (void)bench.put(name, content);
        const auto read = bench.get(name);
        if (read && (read->size() != 5000 || read->find_first_not_of((*read)[0]) != std::string::npos))
          ++damaged;
        if (round % 4 == 0) (void)bench.remove(name);
      }
    });
  }
  for (std::thread& each : threads) each.join();
  CHECK(damaged == 0);
  CHECK(bench.files_below("tmp/").empty());
  CHECK(bench.store->reserved_bytes() == 0);
  const auto report = bench.store->reconcile({});
  REQUIRE(report);
  CHECK(report->found == 0);
  CHECK(report->vanished == 0);
  CHECK(report->orphans == 0);
}

TEST_CASE("a full inode gets a second copy", "[store]") {
  StoreBench bench;
  bench.memory.limit_links(4);  // the object's own name, and three more
  for (int i = 0; i < 10; ++i) REQUIRE(bench.put("sstate-cache/n" + std::to_string(i), "empty archive"));
  const Digest digest = Hasher::of("empty archive");
  CHECK(bench.files_below("objects/") ==
        std::vector<std::string>{layout::object_path(digest, 0), layout::object_path(digest, 1),
                                 layout::object_path(digest, 2), layout::object_path(digest, 3)});
  for (int i = 0; i < 10; ++i) CHECK(*bench.get("sstate-cache/n" + std::to_string(i)) == "empty archive");
}

TEST_CASE("an empty artifact is refused where BitBake would choke on it", "[store]") {
  StoreBench bench;
  CHECK(bench.put("sstate-cache/x", "").error().code() == Errc::invalid_argument);
  CHECK(bench.put("generic/x", "")->outcome == Receipt::Outcome::created);
  CHECK(bench.put("generic/y", "")->outcome == Receipt::Outcome::created);
  CHECK(bench.files_below("objects/").empty());  // an empty inode is shared by nobody
  CHECK(*bench.get("generic/y") == "");
}

TEST_CASE("a removed name is gone, and can be put again with other bytes", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "first"));
  REQUIRE(bench.remove(k_name));
  CHECK_FALSE(bench.has(k_name));
  CHECK(bench.remove(k_name).error().code() == Errc::not_found);
  CHECK(bench.files_below("tree/").empty());
  CHECK(bench.files_below("trash/").size() == 1);  // kept for an undo
  CHECK(bench.put(k_name, "second")->outcome == Receipt::Outcome::created);
}

TEST_CASE("a name and a directory of the same path exclude each other", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a/b", "x"));
  CHECK(bench.put("generic/a", "y").error().code() == Errc::conflict);
  CHECK(bench.put("generic/a/b/c", "y").error().code() == Errc::conflict);
  CHECK(bench.files_below("objects/").size() == 1);
}

TEST_CASE("space is promised before the first byte, and given back", "[store]") {
  StoreBench bench;
  REQUIRE(bench.close());
  bench.options.namespaces[0].max_size = 1_MiB;
  bench.options.namespaces[0].max_object_size = 600_KiB;
  REQUIRE(bench.open());
  UploadRequest request;
  request.size = 700 << 10;
  CHECK(bench.store->begin_upload(bench.key(k_name), request).error().code() == Errc::too_large);
  request.size = 600 << 10;
  auto first = bench.store->begin_upload(bench.key(k_name), request);
  REQUIRE(first);
  CHECK(bench.store->reserved_bytes() == 600 << 10);
  CHECK(bench.store->begin_upload(bench.key(k_name + "2"), request).error().code() == Errc::no_space);
  first->upload.reset();
  CHECK(bench.store->reserved_bytes() == 0);
  CHECK(bench.store->begin_upload(bench.key(k_name + "2"), request).ok());
}

TEST_CASE("directories are listed entry by entry, in pages, without repeats", "[store]") {
  StoreBench bench;
  for (const char* name : {"a", "ab/1", "ab/2", "ab-c", "ab.d/x/y", "b"})
    REQUIRE(bench.put(std::string("generic/") + name, "x"));
  const std::size_t page_size = GENERATE(1U, 2U, 3U, 100U);
  std::vector<std::string> names;
  std::string after;
  for (bool more = true; more;) {
    const auto page = bench.store->list_directory("generic", "", after, page_size);
    REQUIRE(page);
    CHECK(page->entries.size() <= page_size);
    for (const auto& entry : page->entries) names.push_back(entry.name + (entry.directory ? "/" : ""));
    after = page->next;
    more = page->more;
  }
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"a", "ab-c", "ab.d/", "ab/", "b"});
  CHECK(bench.store->list_directory("generic", "ab", "", 10)->entries.size() == 2);
  CHECK(bench.store->list_directory("generic", "a", "", 10).error().code() == Errc::not_found);
}

TEST_CASE("changes since a generation are told in order", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a", "x"));
  const std::uint64_t since = bench.store->generation();
  REQUIRE(bench.put("generic/b", "y"));
  REQUIRE(bench.put("downloads/elsewhere", "z"));
  REQUIRE(bench.remove("generic/a"));
  const auto page = bench.store->changes("generic", since, 100);
  REQUIRE(page);
  REQUIRE(page->changes.size() == 2);
  CHECK(page->changes[0].path == "b");
  CHECK_FALSE(page->changes[0].removed);
  CHECK(page->changes[1].path == "a");
  CHECK(page->changes[1].removed);
  CHECK(page->reached == bench.store->generation());
}

TEST_CASE("the ledger drops its oldest lines, and goes on counting", "[store]") {
  StoreBench bench;
  constexpr UnixSeconds k_begin = 1'000'000'000;
  for (int i = 0; i < 20; ++i) {
    bench.clock.set(k_begin + i);
    REQUIRE(bench.put("generic/" + std::to_string(i), "x"));
  }
  const std::uint64_t last = bench.store->generation();
  const auto lines = [&] { return bench.store->ledger({}, bench.store->generation() + 1, 100)->lines; };
  REQUIRE(lines().size() == last);
  const std::uint64_t kept_from = lines()[6].sequence;  // of second 13

  CHECK(*bench.store->trim_ledger(k_begin) == 0);
  CHECK(*bench.store->trim_ledger(k_begin + 13) == kept_from - 1);
  CHECK(*bench.store->trim_ledger(k_begin + 13) == 0);
  for (const bool again : {false, true}) {
    CAPTURE(again);
    if (again) REQUIRE(bench.close());
    if (again) REQUIRE(bench.open());
    REQUIRE(lines().size() == 7);
    CHECK(lines().back().record.key == "generic/13");
    CHECK(bench.store->oldest_generation() == kept_from - 1);
    CHECK(bench.store->changes("generic", kept_from - 1, 100)->changes.size() == 7);
    CHECK(bench.store->changes("generic", kept_from - 2, 100).error().code() == Errc::not_found);
    CHECK(bench.store->changes("generic", 0, 100).error().code() == Errc::not_found);
  }

  CHECK(*bench.store->trim_ledger(k_begin + 1000) == last - kept_from);
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->generation() == last);
  REQUIRE(lines().size() == 1);  // the newest stays: sequences are counted on from it
  REQUIRE(bench.put("generic/next", "x"));
  CHECK(bench.store->generation() == last + 1);
  CHECK(bench.has("generic/3"));
}

TEST_CASE("find-missing tells what is not there, and what has other bytes", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a", "x"));
  std::vector<WantedName> wanted(4);
  wanted[0].path = "a";
  wanted[1].path = "b";
  wanted[2].path = "a";
  wanted[2].digest = Hasher::of("x");
  wanted[3].path = "a";
  wanted[3].digest = Hasher::of("y");
  CHECK(bench.store->find_missing("generic", wanted).value() == std::vector<bool>{false, true, false, true});
  CHECK(bench.store->find_missing("nowhere", wanted).error().code() == Errc::not_found);
}

TEST_CASE("use is remembered across a restart", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a", "x"));
  bench.clock.set(1000);
  bench.store->note(bench.key("generic/a"), Access::used);
  bench.clock.set(2000);
  bench.store->note(bench.key("generic/a"), Access::seen);
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  const auto recency = bench.store->recency(bench.key("generic/a"));
  REQUIRE(recency->has_value());
  CHECK((*recency)->used == 1000);
  CHECK((*recency)->seen == 2000);
}

TEST_CASE("a directory that is not larder's is not touched", "[store]") {
  MemoryFileSystem memory;
  TemporaryDirectory index;
  ManualClock clock;
  REQUIRE(memory.create("somebody's file"));
  const auto store = Store::open(memory, index.path(), clock, StoreOptions(), 8_MiB);
  REQUIRE_FALSE(store);
  CHECK(store.error().code() == Errc::conflict);
  CHECK(memory.files() == std::vector<std::string>{"somebody's file"});
}

TEST_CASE("two daemons cannot share a data directory", "[store]") {
  StoreBench bench;
  const auto second =
      Store::open(bench.memory, bench.index_directory.path(), bench.clock, bench.options, 8_MiB);
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == Errc::busy);
}

TEST_CASE("removals next to each other do not undo one another", "[store]") {
  const Durability durability = GENERATE(Durability::each, Durability::batch);
  StoreBench bench(durability);
  for (int round = 0; round < 20; ++round) {
    constexpr int k_names = 8;
    const auto name_of_number = [](int number) { return "generic/deep/down/n" + std::to_string(number); };
    for (int number = 0; number < k_names; ++number) REQUIRE(bench.put(name_of_number(number), "content"));
    std::vector<std::thread> threads;
    std::atomic<int> removed{0};
    for (int number = 0; number < k_names; ++number)
      threads.emplace_back([&, number] { removed += bench.remove(name_of_number(number)).ok() ? 1 : 0; });
    for (std::thread& each : threads) each.join();
    CHECK(removed == k_names);
    for (int number = 0; number < k_names; ++number) CHECK_FALSE(bench.has(name_of_number(number)));
    CHECK(bench.store->reconciled());
  }
}

TEST_CASE("what an upload has written is not counted twice", "[store]") {
  StoreBench bench;
  bench.memory.limit_space(bench.memory.used() + 10'000'000);
  UploadRequest request;
  auto start = bench.store->begin_upload(bench.key("generic/large"), request);
  REQUIRE(start);
  const std::string piece(500'000, 'x');
  for (int i = 0; i < 8; ++i) REQUIRE(start->upload->append(std::as_bytes(std::span(piece))));  // 4 of 10 MB
  CHECK(bench.put("generic/small", "content").ok());
  CHECK(start->upload->commit().ok());
  CHECK(bench.store->reserved_bytes() == 0);
}

TEST_CASE("an upload that expects some content fails on any other", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/git2_a.tar.gz", "old"));
  UploadRequest request;
  request.expected = Hasher::of("old");
  auto first = bench.store->begin_upload(bench.key("downloads/git2_a.tar.gz"), request);
  auto second = bench.store->begin_upload(bench.key("downloads/git2_a.tar.gz"), request);
  REQUIRE(first->upload->append(std::as_bytes(std::span(std::string_view("one")))));
  REQUIRE(second->upload->append(std::as_bytes(std::span(std::string_view("two")))));
  CHECK(first->upload->commit()->outcome == Receipt::Outcome::replaced);
  CHECK(second->upload->commit().error().code() == Errc::precondition);
}

TEST_CASE("an upload of unknown length may take the last of the space", "[store]") {
  StoreBench bench;
  REQUIRE(bench.close());
  bench.options.namespaces[0].max_size = 1_MiB;
  REQUIRE(bench.open());
  const auto put = [&](const std::string& name, std::size_t size) {
    const std::string content(size, name.front());
    auto start = bench.store->begin_upload(bench.key("sstate-cache/" + name), UploadRequest());
    const auto appended = start->upload->append(std::as_bytes(std::span(content)));
    return appended ? start->upload->commit().ok() : false;
  };
  CHECK(put("a", 600'000));
  CHECK(bench.store->reserved_bytes() == 0);
  CHECK_FALSE(put("b", 500'000));
  CHECK(put("c", 400'000));
}

TEST_CASE("the ledger of a namespace tells no names of another one that something went to", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a", "content"));
  REQUIRE(bench.store->rename(bench.key("downloads/a"), bench.key("downloads/b"), "somebody"));
  REQUIRE(bench.store->rename(bench.key("downloads/b"), bench.key("generic/told-to-few"), "somebody"));
  std::string told;
  LedgerQuery query;
  query.name_space = "downloads";
  const auto page = bench.store->ledger(query, bench.store->generation() + 1, 10);
  REQUIRE(page);
  for (const auto& line : page->lines) told += line.record.why + "; ";
  CHECK(told.find("renamed to downloads/b; ") != std::string::npos);
  CHECK(told.find("renamed into another namespace; ") != std::string::npos);
  CHECK(told.find("told-to-few") == std::string::npos);
}

TEST_CASE("a generation of a list stays what it was over a clean stop", "[store][generation]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a", "a"));
  const std::uint64_t before = bench.store->list_generation();
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->list_generation() == before);
  REQUIRE(bench.put("downloads/b", "b"));
  CHECK(bench.store->list_generation() == before + 1);
  const auto since = bench.store->generation_of(before);
  REQUIRE(since);
  const auto page = bench.store->changes("downloads", *since, 10);
  REQUIRE(page);
  REQUIRE(page->changes.size() == 1);
  CHECK(page->changes[0].path == "b");
  CHECK_FALSE(bench.store->generation_of(before + 2));
  CHECK(bench.store->generation_of(0) == 0);
}

TEST_CASE("a generation is not known after the lines that led to it may have been lost",
          "[store][generation]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a", "a"));
  const std::uint64_t before = bench.store->list_generation();
  SECTION("by a crash") {
    bench.kill();
  }
  SECTION("with the index") {
    REQUIRE(bench.close());
    bench.forget_index();
  }
  REQUIRE(bench.open());
  REQUIRE(bench.store->reconcile({}));
  REQUIRE(bench.put("downloads/b", "b"));
  CHECK_FALSE(bench.store->generation_of(before));
  CHECK(bench.store->list_generation() != before);
  CHECK(bench.store->generation_of(0));
  // From then on it is.
  const std::uint64_t now = bench.store->list_generation();
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->generation_of(now));
  CHECK_FALSE(bench.store->generation_of(before));
}
