#include "server/store/scrub.hpp"

#include <future>
#include <thread>

#include "tests/support/scrub_checks.hpp"

using namespace larder;
using namespace larder::scrubbing;

TEST_CASE("a sound store is found sound, at every level, and each content is read once", "[scrub]") {
  StoreBench bench;
  fill(bench);
  for (const ScrubLevel level : {ScrubLevel::quick, ScrubLevel::sample, ScrubLevel::full}) {
    const Findings found = scrub(bench, level);
    INFO(text_of(found));
    CHECK(found.sound());
    CHECK(found.last.names == 6);
    CHECK(found.last.objects == 4);
  }
  CHECK(scrub(bench).last.hashed == 4);
  CHECK(scrub(bench, ScrubLevel::quick).last.hashed == 0);
}

TEST_CASE("what a flipped bit spoils is served no more the moment it is found", "[scrub]") {
  StoreBench bench;
  fill(bench);
  bench.memory.damage(object_of("content"), "Content");

  const Findings found = scrub(bench);
  INFO(text_of(found));
  CHECK(found.defects.size() == 1);
  CHECK(found.count("corrupt", k_name) == 1);
  CHECK(found.defects[0].action == "quarantined");
  CHECK_FALSE(bench.has(k_name));
  CHECK(quarantined(bench) == std::vector<std::string>{k_name});
  CHECK(ledger_lines(bench, "ab/cd/sstate:x.siginfo") == 1);
  CHECK(*bench.get(k_other) == "other bytes");
  CHECK(scrub(bench).sound());

  // The right bytes can come again, and are not given the damaged file.
  REQUIRE(bench.put(k_name, "content"));
  CHECK(*bench.get(k_name) == "content");
  CHECK(scrub(bench).sound());
}

TEST_CASE("a corrupt object is not at hand any more, nor is it served again", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.get(k_name));
  Entry entry;
  OpenArtifact artifact;
  REQUIRE(bench.store->peek(bench.key(k_name), entry) == Found::hit);
  REQUIRE(bench.store->ready_content(entry, artifact));
  bench.memory.damage(object_of("content"), "Content");
  scrub(bench);
  CHECK_FALSE(bench.store->ready_content(entry, artifact));
  CHECK_FALSE(bench.get(k_name));
  REQUIRE(bench.put(k_name, "content"));
  CHECK(*bench.get(k_name) == "content");
  CHECK(bench.store->ready_content(entry, artifact));
}

TEST_CASE("a corrupt object leaves all of its names, those in the trash included", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.put("sstate-cache/third.siginfo", "shared"));
  REQUIRE(bench.remove("generic/shared-2"));
  bench.memory.damage(object_of("shared"), "sharex");
  const Findings found = scrub(bench);
  INFO(text_of(found));
  CHECK(found.count("corrupt") == 3);
  CHECK_FALSE(bench.has("generic/shared-1"));
  CHECK_FALSE(bench.has("sstate-cache/third.siginfo"));
  for (const std::string& file : bench.memory.files()) CHECK_FALSE(file.starts_with("trash/"));
  CHECK(quarantined(bench).size() == 3);
  CHECK(scrub(bench).sound());
  CHECK(bench.store->totals()->objects == 3);
}

TEST_CASE("a truncated object is found without hashing everything", "[scrub]") {
  StoreBench bench;
  fill(bench);
  bench.memory.damage(object_of("other bytes"), "other");
  const Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.count("corrupt", k_other) == 1);
  CHECK_FALSE(bench.has(k_other));
  CHECK(scrub(bench).sound());
}

TEST_CASE("swapped objects cost no name its bytes", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.memory.replace(object_of("content"), "tmp/aside"));
  REQUIRE(bench.memory.replace(object_of("other bytes"), object_of("content")));
  REQUIRE(bench.memory.replace("tmp/aside", object_of("other bytes")));
  const Findings found = repair(bench);
  INFO(text_of(found));
  CHECK_FALSE(found.sound());
  CHECK(*bench.get(k_name) == "content");
  CHECK(*bench.get(k_other) == "other bytes");
  (void)repair(bench);
  CHECK(scrub(bench).sound());
  CHECK(*bench.get(k_name) == "content");
}

TEST_CASE("swapped names are served no more", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.memory.replace("tree/" + k_name, "tmp/aside"));
  REQUIRE(bench.memory.replace("tree/" + k_other, "tree/" + k_name));
  REQUIRE(bench.memory.replace("tmp/aside", "tree/" + k_other));
  const Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.count("corrupt") == 2);
  CHECK_FALSE(bench.has(k_name));
  CHECK_FALSE(bench.has(k_other));
}

TEST_CASE("a lost object is made anew from its name", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.memory.remove(object_of("content")));
  Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.defects.size() == 1);
  CHECK(found.count("lost_object", k_name) == 1);
  CHECK(*bench.get(k_name) == "content");

  found = repair(bench);
  CHECK(found.last.repaired == 1);
  CHECK(bench.memory.links(object_of("content")) == 2);
  CHECK(scrub(bench).sound());
}

TEST_CASE("a lost object is not made of other bytes that its name was given meanwhile", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.memory.remove(object_of("content")));
  const std::string name = "tree/" + k_name;
  int opened = 0;
  bool filed = false;
  bench.disk.watch([&](std::string_view operation, const std::string& path) {
    filed = filed || (operation == "link" && path == object_of("content"));
    const bool is_mended = operation == "open" && path == name && ++opened == 2;  // first it was hashed
    if (!is_mended) return;
    REQUIRE(bench.memory.remove(name));
    const auto file = bench.memory.create(name);
    REQUIRE((*file)->append(std::as_bytes(std::span(std::string_view("Content")))));
  });
  repair(bench);
  bench.disk.watch({});
  CHECK(opened >= 2);
  CHECK_FALSE(filed);
  REQUIRE(bench.put("sstate-cache/again", "content"));
  CHECK(*bench.get("sstate-cache/again") == "content");
}

TEST_CASE("a name with a file of its own becomes a link again", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.memory.remove("tree/" + k_name));
  {
    const auto file = bench.memory.create("tree/" + k_name);
    REQUIRE((*file)->append(std::as_bytes(std::span(std::string_view("content")))));
  }
  CHECK(scrub(bench).count("apart", k_name) == 1);
  CHECK(repair(bench).last.repaired >= 1);
  CHECK(bench.memory.links(object_of("content")) == 2);
  CHECK(*bench.get(k_name) == "content");
  CHECK(scrub(bench).sound());
}

TEST_CASE("a deleted name is a stale row and an orphan", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.memory.remove("tree/" + k_name));
  Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.count("stale_row", k_name) == 1);
  CHECK(found.count("orphan") == 1);
  CHECK_FALSE(bench.memory.status(object_of("content")));
  CHECK_FALSE(bench.get(k_name));
  found = repair(bench);
  CHECK(found.last.repaired == found.last.defects);
  CHECK(bench.memory.content(object_of("other bytes")) == "other bytes");
  CHECK(scrub(bench).sound());
  CHECK(bench.store->totals()->objects == 3);
}

TEST_CASE("what a view held when its last name went is freed once the view is gone", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.memory.link(object_of("content"), "view"));
  REQUIRE(bench.remove(k_name));
  REQUIRE(bench.store->empty_trash({}, {}));
  CHECK(scrub(bench).sound());
  REQUIRE(bench.memory.remove("view"));
  const Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.count("orphan") == 1);
  CHECK(found.last.repaired == 1);
  CHECK_FALSE(bench.memory.status(object_of("content")));
  CHECK(bench.store->totals()->objects == 3);
  CHECK(scrub(bench).sound());
}

TEST_CASE("a corrupt orphan is given to no upload", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.memory.remove("tree/" + k_name));
  bench.memory.damage(object_of("content"), "Content");
  CHECK(scrub(bench).count("corrupt") == 1);
  REQUIRE(bench.put("sstate-cache/again", "content"));
  CHECK(*bench.get("sstate-cache/again") == "content");
}

TEST_CASE("uploads of a content do not wait for a check that reads its object again", "[scrub]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.memory.remove("tree/" + k_name));
  bench.memory.damage(object_of("content"), "Content");
  const auto checking = std::this_thread::get_id();
  std::vector<std::future<Result<Receipt>>> uploads;
  bool waited = false;
  bench.disk.watch([&](std::string_view operation, const std::string& path) {
    const bool reads = operation == "read" && path == object_of("content");
    if (!reads || waited || std::this_thread::get_id() != checking) return;
    const std::string name = "sstate-cache/again-" + std::to_string(uploads.size());
    uploads.push_back(std::async(std::launch::async, [&bench, name] { return bench.put(name, "content"); }));
    waited = uploads.back().wait_for(std::chrono::seconds(10)) != std::future_status::ready;
  });
  const Findings found = scrub(bench);
  bench.disk.watch({});
  CHECK(found.count("corrupt") == uploads.size());
  CHECK_FALSE(waited);
  CHECK(uploads.size() > 6);  // it was looked at three times, twice
  for (auto& upload : uploads) CHECK(upload.get());
  CHECK_FALSE(bench.has("sstate-cache/again-0"));
}

TEST_CASE("a foreign file is told of, and entered when asked", "[scrub]") {
  StoreBench bench;
  fill(bench);
  {
    const auto file = bench.memory.create("tree/generic/foreign");
    REQUIRE((*file)->append(std::as_bytes(std::span(std::string_view("by hand")))));
    REQUIRE(bench.memory.create("objects/README"));
  }
  Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.count("unknown_file", "generic/foreign") == 1);
  CHECK(found.count("foreign") == 1);
  CHECK_FALSE(bench.has("generic/foreign"));
  REQUIRE(bench.memory.remove("objects/README"));
  CHECK(repair(bench).last.repaired == 1);
  CHECK(*bench.get("generic/foreign") == "by hand");
  CHECK(scrub(bench).sound());
}

TEST_CASE("the whole index lost: everything is entered again, but what is corrupt", "[scrub]") {
  StoreBench bench;
  fill(bench);
  bench.memory.damage(object_of("content"), "Content");
  REQUIRE(bench.close());
  bench.forget_index();
  REQUIRE(bench.open());
  ScrubOptions options;
  CHECK(scrub_with(bench, options).error().code() == Errc::busy);
  REQUIRE(bench.store->reconcile({}));
  CHECK_FALSE(bench.has(k_name));
  CHECK(*bench.get(k_other) == "other bytes");
  bench.clock.set(2'000'000);
  const Findings found = repair(bench);
  INFO(text_of(found));
  CHECK(found.sound());
}

TEST_CASE("a crash in the middle of a quarantine brings nothing back", "[scrub]") {
  StoreBench bench(Durability::each);  // with the journal what was just uploaded comes back whole
  fill(bench);
  bench.memory.damage(object_of("shared"), "sharex");
  // The object has left, its names have not yet.
  REQUIRE(make_directories(bench.memory, "quarantine/9/@objects"));
  REQUIRE(bench.memory.publish(object_of("shared"), layout::condemned_path(9, Hasher::of("shared"))));
  bench.kill();
  REQUIRE(bench.open());
  CHECK_FALSE(bench.get("generic/shared-1"));
  REQUIRE(bench.store->reconcile({}));
  CHECK_FALSE(bench.has("generic/shared-1"));
  CHECK_FALSE(bench.has("generic/shared-2"));
  CHECK(quarantined(bench).size() == 2);
  (void)repair(bench);
  CHECK(scrub(bench).sound());
}

TEST_CASE("a run that was bound by time is gone on from", "[scrub]") {
  StoreBench bench;
  bench.clock.set(1'000'000);
  constexpr int k_names = 40;
  for (int i = 0; i < k_names; ++i)
    REQUIRE(bench.put("generic/n" + std::to_string(i), "content " + std::to_string(i)));
  bench.memory.damage(object_of("content 5"), "Content 5");
  const ScrubOptions options = bound_by_time(150);  // about 40 contents of 9 bytes: longer than the budget
  const Turns turns = scrub_in_turns(bench, options, [&](int runs) {
    if (runs != 2) return;  // across a restart, too
    REQUIRE(bench.close());
    REQUIRE(bench.open());
  });
  CHECK(turns.corrupt == 1);
  CHECK(turns.last.last.names == k_names);
  CHECK(turns.last.last.hashed == k_names);
  CHECK(turns.last.last.defects == 1);
  CHECK_FALSE(scrub_with(bench, options)->last.resumed);
}

TEST_CASE("one check at a time, and the daemon's makes way", "[scrub]") {
  StoreBench bench;
  auto daemon = bench.store->enter_scrub(ScrubState::Who::daemon);
  REQUIRE(daemon);
  auto person = bench.store->enter_scrub(ScrubState::Who::person);
  REQUIRE(person);
  CHECK(bench.store->enter_scrub(ScrubState::Who::person).error().code() == Errc::busy);
  CHECK(bench.store->enter_scrub(ScrubState::Who::daemon).error().code() == Errc::busy);
  daemon->reset();
  person->reset();
  CHECK(bench.store->enter_scrub(ScrubState::Who::daemon));
}

TEST_CASE("nothing sound is accused while writers write", "[scrub]") {
  StoreBench bench;
  bench.clock.set(1'000'000);
  std::atomic<bool> ending{false};
  std::vector<std::thread> writers;
  for (int thread = 0; thread < 3; ++thread) {
    writers.emplace_back([&, thread] {
      for (int round = 0; !ending; ++round) {
        const std::string name = "generic/t" + std::to_string(round % 7) + "/n" + std::to_string(round % 23);
        (void)bench.put(name, std::string(300, static_cast<char>('a' + (round + thread) % 11)));
        (void)bench.put("downloads/git2_a" + std::to_string(round % 3) + ".tar.gz",
                        "grown " + std::to_string(round));
        if (round % 2 == 0) (void)bench.remove(name);
      }
    });
  }
  std::string accused;
  for (int round = 0; round < 12; ++round) {
    bench.clock.set(1'000'100 + round);
    ScrubOptions options;
    options.repair = round % 2 == 1;
    const auto found = scrub_with(bench, options);
    if (found) accused += text_of(*found);
    if (!found) accused += found.error().message();
  }
  ending = true;
  for (std::thread& writer : writers) writer.join();
  INFO(accused);
  CHECK(accused.empty());
  CHECK(scrub(bench).sound());
}

TEST_CASE("a sample takes a share, and another seed another one", "[scrub]") {
  StoreBench bench;
  bench.clock.set(1'000'000);
  for (int i = 0; i < 200; ++i) REQUIRE(bench.put("generic/n" + std::to_string(i), "c" + std::to_string(i)));
  ScrubOptions options;
  options.level = ScrubLevel::sample;
  options.sample_percent = 20;
  const auto first = scrub_with(bench, options);
  CHECK(first->last.hashed > 15);
  CHECK(first->last.hashed < 70);
  options.sample_percent = 100;
  CHECK(scrub_with(bench, options)->last.hashed == 200);
}

TEST_CASE("damage found by a read goes into the quarantine, not into the trash", "[scrub]") {
  StoreBench bench;
  fill(bench);
  bench.memory.damage(object_of("content"), "short");
  CHECK_FALSE(bench.get(k_name));
  CHECK(quarantined(bench) == std::vector<std::string>{k_name});
  for (const std::string& file : bench.memory.files()) CHECK_FALSE(file.starts_with("trash/"));
  CHECK(scrub(bench).sound());
}

TEST_CASE("a file that vanished from the trash is told, and its row dropped", "[scrub][trash]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.remove(k_name));
  REQUIRE(bench.remove(k_other));
  CHECK(scrub(bench).sound());
  for (const std::string& file : bench.memory.files()) {
    if (file.starts_with("trash/") && file.ends_with(k_name)) REQUIRE(bench.memory.remove(file));
  }
  const Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.count("stale_row") == 1);
  CHECK(found.last.defects == 2);
  CHECK(found.last.repaired == 1);  // an object that no name leads to
  CHECK(repair(bench).last.repaired == 1);
  CHECK(scrub(bench).sound());
  CHECK(bench.store->undo(0, "somebody")->names == 1);
}

TEST_CASE("a file of the trash without a row is told, and can be brought back again", "[scrub][trash]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.remove(k_name));
  std::string kept;
  for (const std::string& file : bench.memory.files()) {
    if (file.starts_with("trash/")) kept = file;
  }
  const std::string strange = "trash/12345/" + k_name;
  REQUIRE(make_directories(bench.memory, parent_of(strange)));
  REQUIRE(bench.memory.link(kept, strange));
  const Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.defects.size() == 1);
  CHECK(found.count("unknown_file", strange) == 1);
  CHECK(repair(bench).last.repaired == 1);
  CHECK(scrub(bench).sound());
  CHECK(bench.store->undo(12345, "somebody")->names == 1);
  CHECK(*bench.get(k_name) == "content");
}

TEST_CASE("a file of the trash that somebody put another one in place of is told", "[scrub][trash]") {
  StoreBench bench;
  fill(bench);
  REQUIRE(bench.remove(k_name));
  for (const std::string& file : bench.memory.files()) {
    if (!file.starts_with("trash/")) continue;
    REQUIRE(bench.memory.remove(file));
    REQUIRE(bench.memory.link("tree/" + k_other, file));
  }
  const Findings found = scrub(bench, ScrubLevel::quick);
  INFO(text_of(found));
  CHECK(found.count("wrong_row") == 1);
  const Findings mended = repair(bench);
  INFO(text_of(mended));
  CHECK(mended.count("wrong_row") == 1);
  CHECK(scrub(bench, ScrubLevel::quick).sound());
  CHECK(*bench.get(k_other) == "other bytes");
}
