// Every operation of the disk fails in turn, once by itself and once for good
// followed by a power cut; whatever happens, what was acknowledged is there,
// nothing is half there, and nothing is left behind.
#include <cerrno>
#include <future>

#include "server/store/layout.hpp"
#include "tests/fault/store_checks.hpp"

using namespace larder;
using namespace larder::fault;

namespace {

using Loss = MemoryFileSystem::Loss;

const std::string k_new = "sstate-cache/ab/cd/sstate:new.tar.zst";
const std::string k_renamed = "downloads/old/renamed.tar.gz";

// Nothing in tmp/, no promise of space left over.
void check_no_leftovers(StoreBench& bench) {
  for (const std::string& file : bench.memory.files()) CHECK_FALSE(file.starts_with("tmp/"));
  CHECK(bench.store->reserved_bytes() == 0);
}

struct Step {
  const char* name;
  // Does the thing; true: the store acknowledged it.
  std::function<bool(StoreBench&)> act;
  // What has to hold when it was acknowledged, and what when it was not.
  std::function<void(StoreBench&)> acknowledged;
  std::function<void(StoreBench&)> refused;
};

void check_old_is_there(StoreBench& bench) {
  const auto content = bench.get(k_old);
  REQUIRE(content);
  CHECK(*content == text_of(9000, 'o'));
}

void check_nothing(StoreBench&) {}

bool prune_two(StoreBench& bench, bool no_trash) {
  if (!bench.put("generic/a/one", text_of(3000, '1')) || !bench.put("generic/b/two", text_of(3000, '2')))
    return false;
  return bench.prune("generic", "*", no_trash ? StoreBench::Into::nothing : StoreBench::Into::trash).ok();
}

std::vector<Step> steps() {
  return {
      {"an upload", [](StoreBench& bench) { return bench.put(k_new, text_of(9000, 'n')).ok(); },
       [](StoreBench& bench) { CHECK(bench.get(k_new).ok()); },
       [](StoreBench& bench) { CHECK_FALSE(bench.has(k_new)); }},
      {"a large upload", [](StoreBench& bench) { return bench.put(k_new, text_of(70000, 'n')).ok(); },
       [](StoreBench& bench) { CHECK(bench.get(k_new).ok()); },
       [](StoreBench& bench) { CHECK_FALSE(bench.has(k_new)); }},
      {"uploads that go together",
       [](StoreBench& bench) {
         const auto outcomes = bench.put_together({{k_new, text_of(9000, 'n')},
                                                   {"sstate-cache/ab/again", text_of(9000, 'n')},
                                                   {"generic/known", text_of(9000, 'o')}});
         return outcomes[0].ok() && outcomes[1].ok() && outcomes[2].ok();
       },
       [](StoreBench& bench) {
         CHECK(bench.get(k_new).ok());
         CHECK(bench.get("sstate-cache/ab/again").ok());
         CHECK(bench.get("generic/known").ok());
       },
       &check_nothing},
      {"an upload and its removal",
       [](StoreBench& bench) {
         return bench.put(k_new, text_of(9000, 'n')).ok() && bench.remove(k_new).ok();
       },
       [](StoreBench& bench) { CHECK_FALSE(bench.has(k_new)); }, &check_nothing},
      {"a small replacement of what was just uploaded, then a large one",
       [](StoreBench& bench) {
         return bench.put(k_tarball, text_of(7000, 's')).ok() &&
                bench.put(k_tarball, text_of(70000, 't')).ok();
       },
       [](StoreBench& bench) {
         const auto content = bench.get(k_tarball);
         REQUIRE(content);
         CHECK(*content == text_of(70000, 't'));
       },
       [](StoreBench& bench) { CHECK(bench.get(k_tarball).ok()); }},
      {"an upload of known bytes",
       [](StoreBench& bench) { return bench.put(k_new, text_of(9000, 'o')).ok(); },
       [](StoreBench& bench) { CHECK(bench.get(k_new).ok()); },
       [](StoreBench& bench) { CHECK_FALSE(bench.has(k_new)); }},
      {"an upload next door",
       [](StoreBench& bench) { return bench.put("sstate-cache/00/x.siginfo", "info").ok(); },
       [](StoreBench& bench) { CHECK(bench.get("sstate-cache/00/x.siginfo").ok()); },
       [](StoreBench& bench) { CHECK_FALSE(bench.has("sstate-cache/00/x.siginfo")); }},
      {"an empty upload", [](StoreBench& bench) { return bench.put("generic/e/empty", "").ok(); },
       [](StoreBench& bench) { CHECK(bench.get("generic/e/empty").ok()); },
       [](StoreBench& bench) { CHECK_FALSE(bench.has("generic/e/empty")); }},
      {"a replacement", [](StoreBench& bench) { return bench.put(k_tarball, text_of(7000, 't')).ok(); },
       [](StoreBench& bench) {
         const auto content = bench.get(k_tarball);
         REQUIRE(content);
         CHECK(*content == text_of(7000, 't'));
       },
       // Either content is right, half of one is not.
       [](StoreBench& bench) {
         const auto content = bench.get(k_tarball);
         REQUIRE(content);
         CHECK((*content == text_of(5000, 'g') || *content == text_of(7000, 't')));
       }},
      {"a removal", [](StoreBench& bench) { return bench.remove(k_tarball).ok(); },
       [](StoreBench& bench) { CHECK_FALSE(bench.has(k_tarball)); }, &check_nothing},
      {"a rename",
       [](StoreBench& bench) {
         return bench.store->rename(bench.key(k_tarball), bench.key(k_renamed), "somebody").ok();
       },
       [](StoreBench& bench) {
         CHECK(bench.has(k_renamed));
         CHECK_FALSE(bench.has(k_tarball));
       },
       // Interrupted it may have left both names, but never neither.
       [](StoreBench& bench) {
         const std::string& there = bench.has(k_tarball) ? k_tarball : k_renamed;
         const auto content = bench.get(there);
         REQUIRE(content);
         CHECK(*content == text_of(5000, 'g'));
       }},
      // What goes in bulk is not synced: it may be back after a power cut, but whole, as all is.
      {"a prune", [](StoreBench& bench) { return prune_two(bench, false); }, &check_nothing, &check_nothing},
      {"a prune for good", [](StoreBench& bench) { return prune_two(bench, true); }, &check_nothing,
       &check_nothing},
      {"an undo",
       [](StoreBench& bench) {
         return bench.remove(k_tarball).ok() && bench.store->undo(0, "somebody").ok();
       },
       [](StoreBench& bench) {
         const auto content = bench.get(k_tarball);
         REQUIRE(content);
         CHECK(*content == text_of(5000, 'g'));
       },
       // Not back is still in the trash.
       [](StoreBench& bench) {
         if (!bench.has(k_tarball)) REQUIRE(bench.store->undo(0, "somebody"));
         const auto content = bench.get(k_tarball);
         REQUIRE(content);
         CHECK(*content == text_of(5000, 'g'));
       }},
      {"emptying the trash",
       [](StoreBench& bench) {
         return bench.remove(k_tarball).ok() && bench.store->empty_trash({}, {}).ok();
       },
       [](StoreBench& bench) { CHECK_FALSE(bench.has(k_tarball)); }, &check_nothing},
  };
}

}  // namespace

TEST_CASE("a store is whole after any one operation of the disk failed", "[store][fault]") {
  const Durability durability = GENERATE(Durability::each, Durability::batch, Durability::none);
  const int error_number = durability == Durability::batch ? ENOSPC : EIO;
  for (const Step& step : steps()) {
    bool struck = true;
    for (std::uint64_t nth = 1; struck; ++nth) {
      REQUIRE(nth < 200);
      StoreBench bench(durability);
      prepare(bench);
      bench.disk.fail(nth, FaultyFileSystem::Mode::once, error_number);
      const bool acknowledged = step.act(bench);
      struck = bench.disk.struck();
      bench.disk.heal();
      INFO(step.name << ", operation " << nth << ", " << name_of(durability));

      if (!struck) CHECK(acknowledged);
      check_old_is_there(bench);
      acknowledged ? step.acknowledged(bench) : step.refused(bench);
      CHECK(bench.store->reserved_bytes() == 0);
      check_whole(bench);

      // The next start finds everything in order, and the same thing can be done again.
      REQUIRE(bench.close());
      REQUIRE(bench.open());
      check_no_leftovers(bench);
      acknowledged ? step.acknowledged(bench) : step.refused(bench);
      check_agreement(bench);
    }
  }
}

TEST_CASE("a store is whole after a power cut at any operation", "[store][fault]") {
  struct Policy {
    Durability durability;
    std::size_t journal_records;  // in a segment: with one, each upload empties one
  };
  const Policy policy =
      GENERATE(Policy{Durability::each, 1}, Policy{Durability::batch, 1}, Policy{Durability::batch, 4096});
  const Durability durability = policy.durability;
  const Loss loss = GENERATE(Loss::everything, Loss::bytes_alone);
  UploadJournal::Limits journal;
  journal.records = policy.journal_records;
  for (const Step& step : steps()) {
    bool struck = true;
    for (std::uint64_t nth = 1; struck; ++nth) {
      REQUIRE(nth < 200);
      StoreBench bench(durability, journal);
      prepare(bench);
      bench.disk.fail(nth, FaultyFileSystem::Mode::from_then_on, EIO);
      const bool acknowledged = step.act(bench);
      struck = bench.disk.struck();
      bench.disk.heal();
      INFO(step.name << ", operation " << nth << ", " << name_of(durability));

      bench.power_cut(loss);
      REQUIRE(bench.open());
      check_old_is_there(bench);
      if (acknowledged) step.acknowledged(bench);
      check_whole(bench);
      check_no_leftovers(bench);
      check_agreement(bench);
      if (acknowledged) step.acknowledged(bench);
    }
  }
}

TEST_CASE("the trash can be emptied after a power cut, before tree and index have been compared",
          "[store][prune][fault]") {
  const Loss loss = GENERATE(Loss::everything, Loss::bytes_alone);
  for (const Step& step : steps()) {
    bool struck = true;
    for (std::uint64_t nth = 1; struck; ++nth) {
      REQUIRE(nth < 200);
      StoreBench bench;
      prepare(bench);
      REQUIRE(bench.put("generic/removed", text_of(9000, 'o')));  // what k_old has
      REQUIRE(bench.remove("generic/removed"));
      bench.disk.fail(nth, FaultyFileSystem::Mode::from_then_on, EIO);
      const bool acknowledged = step.act(bench);
      struck = bench.disk.struck();
      bench.disk.heal();
      INFO(step.name << ", operation " << nth);

      bench.power_cut(loss);
      REQUIRE(bench.open());
      REQUIRE(bench.store->empty_trash({}, {}));
      check_old_is_there(bench);
      if (acknowledged) step.acknowledged(bench);
      check_whole(bench);
      check_agreement(bench);
      check_old_is_there(bench);
      if (acknowledged) step.acknowledged(bench);
    }
  }
}

TEST_CASE("what a check found corrupt stays away, whatever fails while it is taken out",
          "[store][scrub][fault]") {
  const FaultyFileSystem::Mode mode =
      GENERATE(FaultyFileSystem::Mode::once, FaultyFileSystem::Mode::from_then_on);
  const std::string bad = "sstate-cache/00/bad-1";
  const std::string again = "sstate-cache/11/bad-2";
  const std::string spoilt = text_of(4000, 's');
  bool struck = true;
  for (std::uint64_t nth = 1; struck; ++nth) {
    REQUIRE(nth < 400);
    StoreBench bench(Durability::each);  // with the journal what was just uploaded comes back whole
    bench.clock.set(1'000'000);
    prepare(bench);
    REQUIRE(bench.put(bad, text_of(4000, 'b')));
    REQUIRE(bench.put(again, text_of(4000, 'b')));
    REQUIRE(bench.memory.sync_all());
    bench.memory.damage("tree/" + bad, spoilt);
    bench.disk.fail(nth, mode, EIO);
    const auto scrub = [&](bool repair) {
      ScrubOptions options;
      options.repair = repair;
      const auto turn = bench.store->enter_scrub(ScrubState::Who::person);
      REQUIRE(turn);
      return bench.store->scrub(options, *turn, [](const api::VerifyEvent&) {}, {});
    };
    (void)scrub(false);
    struck = bench.disk.struck();
    bench.disk.heal();
    INFO("operation " << nth << (mode == FaultyFileSystem::Mode::once ? ", once" : ", from then on"));
    check_old_is_there(bench);
    const bool cut = mode == FaultyFileSystem::Mode::from_then_on;
    if (cut) {
      bench.kill();
      REQUIRE(bench.open());
      check_old_is_there(bench);
      REQUIRE(bench.store->reconcile({}));
    }
    // The next check finds what this one left, and nothing that is sound.
    REQUIRE(scrub(true));
    CHECK_FALSE(bench.has(bad));
    CHECK_FALSE(bench.has(again));
    check_old_is_there(bench);
    const auto last = scrub(false);
    REQUIRE(last);
    CHECK(last->defects == 0);
    for (const std::string& file : bench.memory.files()) {
      if (!file.starts_with("quarantine/")) CHECK(bench.memory.content(file) != spoilt);
    }
    check_agreement(bench);
  }
}

TEST_CASE("everything acknowledged survives a power cut that takes the index along", "[store][fault]") {
  const Durability durability = GENERATE(Durability::each, Durability::batch);
  const Loss loss = GENERATE(Loss::everything, Loss::bytes_alone);
  StoreBench bench(durability);
  prepare(bench);
  REQUIRE(bench.put(k_new, text_of(100000, 'n')));
  REQUIRE(bench.put("sstate-cache/ab/cd/again.tar.zst", text_of(100000, 'n')));

  bench.power_cut(loss);
  bench.forget_index();
  REQUIRE(bench.open());

  // Found before the background comparison has come that far …
  CHECK(bench.get(k_new).ok());
  check_agreement(bench);
  // … and, by it, all the others.
  CHECK(bench.get("sstate-cache/ab/cd/again.tar.zst").ok());
  check_old_is_there(bench);
}

TEST_CASE("with durability none everything acknowledged survives kill -9", "[store][fault]") {
  StoreBench bench(Durability::none);
  prepare(bench);
  REQUIRE(bench.put(k_new, text_of(9000, 'n')));
  bench.kill();
  REQUIRE(bench.open());
  CHECK(bench.get(k_new).ok());
  check_agreement(bench);
}

TEST_CASE("a power cut under durability none shows nothing half", "[store][fault]") {
  const Loss loss = GENERATE(Loss::everything, Loss::bytes_alone);
  StoreBench bench(Durability::none);
  REQUIRE(bench.put(k_new, text_of(9000, 'n')));
  bench.power_cut(loss);
  REQUIRE(bench.open());
  const auto content = bench.get(k_new);
  if (content) CHECK(*content == text_of(9000, 'n'));
  CHECK(bench.put(k_new, text_of(9000, 'n')).ok());
  CHECK(bench.get(k_new).ok());
}

TEST_CASE("an upload leaves nothing behind when the disk fills midway", "[store][fault]") {
  StoreBench bench;
  prepare(bench);
  bench.memory.limit_space(bench.memory.used() + 20000);
  UploadRequest request;  // no size announced, so no promise could be refused
  auto start = bench.store->begin_upload(bench.key(k_new), request);
  REQUIRE(start);
  Result<void> appended;
  const std::string piece = text_of(8192, 'n');
  for (int i = 0; i < 10 && appended; ++i) appended = start->upload->append(std::as_bytes(std::span(piece)));
  REQUIRE_FALSE(appended);
  CHECK(appended.error().code() == Errc::no_space);
  start->upload.reset();
  check_no_leftovers(bench);
  check_old_is_there(bench);
}

TEST_CASE("with no inode left, what is evicted and what is in the trash can still go",
          "[store][prune][fault]") {
  StoreBench bench;
  prepare(bench);
  bench.clock.set(1'000'000);
  REQUIRE(bench.put("generic/deep/er/one", text_of(3000, '1')));
  REQUIRE(bench.put("generic/deep/er/two", text_of(3000, '2')));
  REQUIRE(bench.put("generic/three", text_of(3000, '3')));
  REQUIRE(bench.remove("generic/three"));
  bench.disk.refuse_entries(true);

  const auto refused = bench.remove("generic/deep/er/one");  // there is no room for it in the trash
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::no_space);
  CHECK(refused.error().message().find("--no-trash") != std::string::npos);
  CHECK(bench.get("generic/deep/er/one").ok());

  const auto emptied = bench.store->empty_trash({}, {});
  REQUIRE(emptied);
  CHECK(emptied->freed == 3000);

  const auto pruned = bench.prune("generic", "deep/*", StoreBench::Into::nothing);
  REQUIRE(pruned);
  CHECK(pruned->removed.names == 2);
  CHECK(pruned->removed.freed == 6000);
  CHECK(pruned->generation == 0);
  CHECK_FALSE(bench.has("generic/deep/er/one"));
  LedgerQuery query;
  query.match = "generic/deep/er/*";
  query.action = LedgerAction::remove;
  CHECK(bench.store->ledger(query, bench.store->generation() + 1, 10)->lines.size() == 2);

  bench.disk.refuse_entries(false);
  check_agreement(bench);
}

TEST_CASE("adopting is whole after any one operation failed, and goes on when run again", "[store][fault]") {
  const FaultyFileSystem::Mode mode =
      GENERATE(FaultyFileSystem::Mode::once, FaultyFileSystem::Mode::from_then_on);
  const bool fail_source = GENERATE(false, true);
  bool struck = true;
  for (std::uint64_t nth = 1; struck; ++nth) {
    REQUIRE(nth < 400);
    StoreBench bench;
    prepare(bench);
    MemoryFileSystem elsewhere;
    FaultyFileSystem source(elsewhere);
    REQUIRE(make_directories(elsewhere, "ab/cd"));
    for (const char* name : {"ab/cd/sstate:a.siginfo", "ab/cd/sstate:b.siginfo"}) {
      auto file = elsewhere.create(name);
      REQUIRE(file);
      const std::string content = name;
      REQUIRE((*file)->append(std::as_bytes(std::span(content))));
    }
    REQUIRE(elsewhere.sync_all());
    Store::AdoptOptions options;
    options.name_space = "generic";
    const auto ignore = [](const api::AdoptEvent&) {};
    FaultyFileSystem& failing = fail_source ? source : bench.disk;
    failing.fail(nth, mode, EIO);
    (void)bench.store->adopt(source, options, ignore, {});
    struck = failing.struck();
    failing.heal();
    INFO("operation " << nth << (fail_source ? " of the source" : " of the store"));
    check_whole(bench);
    CHECK(bench.store->reserved_bytes() == 0);

    bench.kill();
    REQUIRE(bench.open());
    const auto again = bench.store->adopt(source, options, ignore, {});
    REQUIRE(again);
    CHECK(bench.has("generic/ab/cd/sstate:a.siginfo"));
    CHECK(bench.has("generic/ab/cd/sstate:b.siginfo"));
    check_whole(bench);
  }
}

TEST_CASE("an object is counted though the upload that brought it failed behind another one of its bytes",
          "[store][fault]") {
  StoreBench bench(Durability::each);
  prepare(bench);
  const std::string first = "generic/first";
  const std::string second = "generic/second";
  bool placed = false;
  bench.disk.watch([&](std::string_view operation, const std::string&) {
    if (placed || operation != "sync directory" || bench.memory.links("tree/" + first) == 0) return;
    placed = true;
    const auto other = std::async(std::launch::async, [&] { return bench.put(second, text_of(3000, 'n')); });
    other.wait();
    bench.disk.fail(1, FaultyFileSystem::Mode::once, EIO);
  });
  CHECK_FALSE(bench.put(first, text_of(3000, 'n')));
  bench.disk.watch({});
  REQUIRE(placed);
  CHECK_FALSE(bench.has(first));
  CHECK(bench.has(second));
  const auto stat = bench.store->totals();
  REQUIRE(stat);
  CHECK(stat->objects == 3);
  CHECK(stat->physical_bytes == 9000 + 5000 + 3000);
}

TEST_CASE("an index that is distrusted while it is compared with the tree is compared again",
          "[store][fault]") {
  StoreBench bench(Durability::each);
  prepare(bench);
  bench.kill();
  REQUIRE(bench.open());
  enum { walking, storing, failing } state = walking;
  bench.disk.watch([&](std::string_view operation, const std::string& path) {
    if (state == walking && operation == "list" && path == layout::k_quarantine) {
      state = storing;
      CHECK_FALSE(bench.put(k_new, text_of(3000, 'n')));  // and it cannot be taken back
      bench.disk.heal();
    }
    if (state == storing && operation == "sync directory") {
      state = failing;
      bench.disk.fail(1, FaultyFileSystem::Mode::from_then_on, EIO);
    }
  });
  REQUIRE(bench.store->reconcile({}));
  bench.disk.watch({});
  REQUIRE(state == failing);
  CHECK_FALSE(bench.store->reconciled());
  REQUIRE(bench.store->reconcile({}));
  CHECK(bench.store->reconciled());
  check_agreement(bench);
}
