#include "server/store/store.hpp"

#include <thread>

#include "server/store/layout.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/store_bench.hpp"

using namespace larder;

namespace {

const std::string k_name = "sstate-cache/ab/cd/sstate:x.tar.zst";

std::vector<std::string> files_below(const StoreBench& bench, const std::string& prefix) {
  std::vector<std::string> found;
  for (const std::string& file : bench.memory.files()) {
    if (file.starts_with(prefix)) found.push_back(file);
  }
  return found;
}

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
  const auto objects = files_below(bench, "objects/");
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
  CHECK(files_below(bench, "objects/").size() == 1);
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
  CHECK(files_below(bench, "objects/").size() == 1);
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
  CHECK(files_below(bench, "tmp/").empty());
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
  CHECK(files_below(bench, "tmp/").empty());
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
  CHECK(files_below(bench, "objects/") ==
        std::vector<std::string>{layout::object_path(digest, 0), layout::object_path(digest, 1),
                                 layout::object_path(digest, 2), layout::object_path(digest, 3)});
  for (int i = 0; i < 10; ++i) CHECK(*bench.get("sstate-cache/n" + std::to_string(i)) == "empty archive");
}

TEST_CASE("an empty artifact is refused where BitBake would choke on it", "[store]") {
  StoreBench bench;
  CHECK(bench.put("sstate-cache/x", "").error().code() == Errc::invalid_argument);
  CHECK(bench.put("generic/x", "")->outcome == Receipt::Outcome::created);
  CHECK(bench.put("generic/y", "")->outcome == Receipt::Outcome::created);
  CHECK(files_below(bench, "objects/").empty());  // an empty inode is shared by nobody
  CHECK(*bench.get("generic/y") == "");
}

TEST_CASE("a removed name is gone, and can be put again with other bytes", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "first"));
  REQUIRE(bench.remove(k_name));
  CHECK_FALSE(bench.has(k_name));
  CHECK(bench.remove(k_name).error().code() == Errc::not_found);
  CHECK(files_below(bench, "tree/").empty());
  CHECK(files_below(bench, "trash/").size() == 1);  // kept for an undo
  CHECK(bench.put(k_name, "second")->outcome == Receipt::Outcome::created);
}

TEST_CASE("a name and a directory of the same path exclude each other", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a/b", "x"));
  CHECK(bench.put("generic/a", "y").error().code() == Errc::conflict);
  CHECK(bench.put("generic/a/b/c", "y").error().code() == Errc::conflict);
  CHECK(files_below(bench, "objects/").size() == 1);
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

TEST_CASE("a row whose file is gone is a miss, and is forgotten", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "first"));
  REQUIRE(bench.memory.remove("tree/" + k_name));
  CHECK(bench.get(k_name).error().code() == Errc::not_found);
  CHECK_FALSE(bench.has(k_name));
  CHECK(bench.store->totals()->logical_bytes == 0);
}

TEST_CASE("a file of another size than stored is never served", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "first"));
  bench.memory.damage("tree/" + k_name, "fir");
  CHECK(bench.get(k_name).error().code() == Errc::not_found);
  CHECK_FALSE(bench.has(k_name));
  CHECK(files_below(bench, "trash/").empty());
  CHECK(files_below(bench, "quarantine/").size() == 2);  // the name, and what it was filed as
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

TEST_CASE("a new store is in agreement at once, and so is one that was closed", "[store]") {
  StoreBench bench;
  CHECK(bench.store->reconciled());
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
  bench.kill();
  REQUIRE(bench.open());
  CHECK_FALSE(bench.store->reconciled());
}

TEST_CASE("what a comparison passed over is not taken for agreeing", "[store][reconcile]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a", "one"));
  REQUIRE(bench.put("downloads/b", "two"));
  const std::vector<NamespaceConfig> all = bench.options.namespaces;
  const bool index_is_lost = GENERATE(false, true);
  bench.kill();
  if (index_is_lost) bench.forget_index();
  bench.options.namespaces.pop_back();  // generic
  REQUIRE(bench.open());
  REQUIRE(bench.store->reconcile({}));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());  // for those that are configured
  REQUIRE(bench.close());

  bench.options.namespaces = all;
  REQUIRE(bench.open());
  CHECK_FALSE(bench.store->reconciled());
  CHECK(bench.has("generic/a"));
  REQUIRE(bench.store->reconcile({}));
  CHECK(bench.has("generic/a"));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
}

TEST_CASE("a namespace that comes and goes while all is well needs no comparison", "[store][reconcile]") {
  StoreBench bench;
  REQUIRE(bench.put("generic/a", "one"));
  REQUIRE(bench.close());
  const std::vector<NamespaceConfig> all = bench.options.namespaces;
  bench.options.namespaces.pop_back();
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
  REQUIRE(bench.close());
  bench.options.namespaces = all;
  bench.options.namespaces.push_back(all.back());
  bench.options.namespaces.back().name = "new";
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
  CHECK(bench.has("generic/a"));
  REQUIRE(bench.put("new/a", "one"));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  CHECK(bench.store->reconciled());
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

TEST_CASE("a file put into the tree by hand is found after an unclean stop", "[store]") {
  StoreBench bench;
  bench.kill();
  REQUIRE(make_directories(bench.memory, "tree/generic/by"));
  {
    auto file = bench.memory.create("tree/generic/by/hand");
    REQUIRE((*file)->append(std::as_bytes(std::span(std::string_view("hello")))));
  }
  REQUIRE(bench.open());
  CHECK(*bench.get("generic/by/hand") == "hello");
  const auto report = bench.store->reconcile({});
  REQUIRE(report);
  CHECK(bench.memory.links("tree/generic/by/hand") == 2);  // an object like any other
}

TEST_CASE("what a rebuilt index finds counts as asked for now, not when it was stored",
          "[store][reconcile]") {
  StoreBench bench;
  bench.clock.set(1000);
  REQUIRE(bench.put("generic/a", "one"));
  REQUIRE(bench.close());
  bench.forget_index();
  bench.clock.set(9'000'000);
  REQUIRE(bench.open());
  REQUIRE(bench.store->reconcile({}));
  REQUIRE(bench.close());
  REQUIRE(bench.open());
  const auto recency = bench.store->recency(bench.key("generic/a"));
  REQUIRE(recency->has_value());
  CHECK((*recency)->used == 0);
  CHECK((*recency)->seen == 9'000'000);
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

TEST_CASE("a rename gives the content its new name and takes the old one away", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a.tmp", "content"));
  const auto receipt =
      bench.store->rename(bench.key("downloads/a.tmp"), bench.key("downloads/b/a"), "somebody");
  REQUIRE(receipt);
  CHECK(receipt->outcome == Receipt::Outcome::created);
  CHECK(*bench.get("downloads/b/a") == "content");
  CHECK_FALSE(bench.has("downloads/a.tmp"));
  CHECK(files_below(bench, "objects/").size() == 1);
  CHECK(files_below(bench, "tmp/").empty());
}

TEST_CASE("a rename keeps to the rules of an upload", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a", "first"));
  REQUIRE(bench.put("downloads/b", "second"));
  const auto rename = [&](const std::string& from, const std::string& to) {
    return bench.store->rename(bench.key(from), bench.key(to), "somebody");
  };
  CHECK(rename("downloads/a", "downloads/b")->outcome == Receipt::Outcome::conflict);
  CHECK(*bench.get("downloads/a") == "first");
  CHECK(*bench.get("downloads/b") == "second");
  CHECK(rename("downloads/a", "downloads/index.txt").error().code() == Errc::invalid_name);
  CHECK(rename("downloads/c", "downloads/d").error().code() == Errc::not_found);
  CHECK(rename("downloads/a", "nowhere/a").error().code() == Errc::not_found);
  CHECK(rename("downloads/a", "downloads/a")->outcome == Receipt::Outcome::present);
  CHECK(*bench.get("downloads/a") == "first");
  REQUIRE(bench.put("generic/empty", ""));
  CHECK(rename("generic/empty", "downloads/empty").error().code() == Errc::invalid_argument);
  CHECK(rename("generic/empty", "generic/void")->outcome == Receipt::Outcome::created);
  CHECK(bench.get("generic/void")->empty());
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

TEST_CASE("a rename finds room when the object can take no further link", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put("downloads/a", "content"));
  bench.memory.limit_links(2);
  REQUIRE(bench.store->rename(bench.key("downloads/a"), bench.key("downloads/b"), "somebody"));
  CHECK(*bench.get("downloads/b") == "content");
  CHECK_FALSE(bench.has("downloads/a"));
  CHECK(files_below(bench, "tmp/").empty());
}

TEST_CASE("directories are seen from memory as they come and go", "[store]") {
  StoreBench bench;
  CHECK(bench.store->peek_directory("downloads", "a") == Index::Found::miss);
  REQUIRE(bench.put("downloads/a/b/c", "content"));
  CHECK(bench.store->peek_directory("downloads", "") == Index::Found::hit);
  CHECK(bench.store->peek_directory("downloads", "a") == Index::Found::hit);
  CHECK(bench.store->peek_directory("downloads", "a/b") == Index::Found::hit);
  CHECK(bench.store->peek_directory("downloads", "a/b/c") == Index::Found::miss);
  CHECK(bench.store->peek_directory("downloads", "a/") == Index::Found::miss);
  CHECK(bench.store->peek_directory("sstate-cache", "") == Index::Found::miss);
  REQUIRE(bench.remove("downloads/a/b/c"));
  CHECK(bench.store->peek_directory("downloads", "a") == Index::Found::miss);
}

TEST_CASE("all names in memory follow what is stored, replaced and removed, and take little", "[store]") {
  StoreBench bench;
  for (int i = 0; i < 100; ++i)
    REQUIRE(bench.put("generic/n" + std::to_string(i), "content " + std::to_string(i)));
  CHECK(bench.store->bytes_of_names() == 0);
  REQUIRE(bench.store->load_names(4_MiB, {}));
  CHECK(bench.store->bytes_of_names() > 0);
  CHECK(bench.store->bytes_of_names() < (4_MiB).bytes);
  Entry entry;
  CHECK(bench.store->peek(bench.key("generic/n7"), entry) == Found::hit);
  CHECK(entry.digest == Hasher::of("content 7"));
  CHECK(bench.store->peek(bench.key("generic/n100"), entry) == Found::miss);

  REQUIRE(bench.remove("generic/n7"));
  REQUIRE(bench.put("generic/n100", "new"));
  REQUIRE(bench.put("downloads/git2_host.repo.tar", "first"));
  REQUIRE(bench.put("downloads/git2_host.repo.tar", "second"));
  CHECK(bench.store->peek(bench.key("generic/n7"), entry) == Found::miss);
  CHECK(bench.store->peek(bench.key("generic/n100"), entry) == Found::hit);
  CHECK(bench.store->peek(bench.key("downloads/git2_host.repo.tar"), entry) == Found::hit);
  CHECK(entry.digest == Hasher::of("second"));
}

TEST_CASE("who stores a name hears the same with all names in memory as without", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "content"));
  REQUIRE(bench.put("generic/gone", "content"));
  REQUIRE(bench.remove("generic/gone"));
  REQUIRE(bench.store->load_names(4_MiB, {}));

  const auto again = bench.put(k_name, "content");
  REQUIRE(again);
  CHECK(again->outcome == Receipt::Outcome::present);
  const auto other = bench.put(k_name, "other content");
  REQUIRE(other);
  CHECK(other->outcome == Receipt::Outcome::conflict);
  const auto anew = bench.put("generic/gone", "other content");
  REQUIRE(anew);
  CHECK(anew->outcome == Receipt::Outcome::created);
  const auto content = bench.get("generic/gone");
  REQUIRE(content);
  CHECK(*content == "other content");
  const auto totals = bench.store->totals();
  REQUIRE(totals);
  CHECK(totals->objects == 2);
}

TEST_CASE("names that do not fit into memory are found all the same", "[store]") {
  StoreBench bench;
  REQUIRE(bench.put(k_name, "content"));
  const auto loaded = bench.store->load_names(ByteSize{1}, {});
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code() == Errc::too_large);
  Entry entry;
  CHECK(bench.store->peek(bench.key(k_name), entry) == Found::hit);
  CHECK(bench.store->bytes_of_names() == 0);
}

TEST_CASE("a removed, replaced or damaged content is not at hand any more", "[store]") {
  StoreBench bench;
  const auto at_hand = [&](const std::string& content) {
    Entry entry;
    entry.digest = Hasher::of(content);
    entry.size = content.size();
    OpenArtifact artifact;
    return bench.store->ready_content(entry, artifact);
  };
  const std::string tarball = "downloads/git2_host.repo.tar";
  REQUIRE(bench.put(k_name, "removed"));
  REQUIRE(bench.put(tarball, "replaced"));
  REQUIRE(bench.get(k_name));
  REQUIRE(bench.get(tarball));
  CHECK(at_hand("removed"));
  CHECK(at_hand("replaced"));
  REQUIRE(bench.remove(k_name));
  REQUIRE(bench.put(tarball, "new"));
  CHECK_FALSE(at_hand("removed"));
  CHECK_FALSE(at_hand("replaced"));
}
