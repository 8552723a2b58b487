// What tasks with the same output are called, on a database in memory.
#include "server/store/hash_equivalence.hpp"

#include <tuple>

#include "tests/support/catch.hpp"
#include "tests/support/dice.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temporary_directory.hpp"

using namespace larder;

namespace {

using Task = HashEquivalence::Task;
using Output = HashEquivalence::Output;
using Which = HashEquivalence::Which;

constexpr UnixSeconds k_day = 24 * 60 * 60;

std::string hash(int number) {
  std::string digits = std::to_string(number);
  return std::string(64 - digits.size(), 'a') + digits;
}

Task task(int number, const std::string& method = "m") {
  return {method, hash(number)};
}

struct Bench {
  Bench() { open(); }
  void open() {
    known.reset();
    auto opened = HashEquivalence::open(directory.path() / "known", clock, Durability::batch);
    REQUIRE(opened);
    known = std::move(*opened);
  }
  // The unihash that holds for a task whose output has `outhash`; the taskhash is proposed.
  std::string report(const Task& reported, const std::string& outhash) {
    Output output;
    output.task = reported;
    output.outhash = outhash;
    const auto holds = known->report(output, reported.taskhash);
    REQUIRE(holds);
    return *holds;
  }
  std::string get(const Task& wanted) {
    const auto found = known->unihash(wanted);
    REQUIRE(found);
    return found->value_or("");
  }

  TemporaryDirectory directory{TemporaryDirectory::Where::in_memory};
  ManualClock clock;
  std::unique_ptr<HashEquivalence> known;
};

}  // namespace

TEST_CASE("a task is called as the first one with its output", "[hashserv]") {
  Bench bench;
  CHECK(bench.get(task(1)) == "");
  CHECK(bench.report(task(1), "out") == hash(1));
  CHECK(bench.report(task(2), "out") == hash(1));
  CHECK(bench.report(task(3), "other") == hash(3));
  CHECK(bench.report(task(2, "another method"), "out") == hash(2));
  CHECK(bench.get(task(2)) == hash(1));
  CHECK(*bench.known->has_unihash(hash(1)));
  CHECK_FALSE(*bench.known->has_unihash(hash(2).substr(0, 63)));
  CHECK_FALSE(*bench.known->has_unihash("nothing"));
}

TEST_CASE("what a task is called never changes", "[hashserv]") {
  Bench bench;
  bench.report(task(1), "one");
  bench.report(task(2), "two");
  CHECK(bench.report(task(2), "one") == hash(2));  // another output, once
  CHECK(bench.report(task(3), "one") == hash(1));  // of both tasks with it the older one
  CHECK(*bench.known->equate(task(1), hash(9)) == hash(1));
  CHECK(*bench.known->equate(task(4), hash(9)) == hash(9));
  CHECK(*bench.known->equate(task(4), hash(8)) == hash(9));
  CHECK(bench.report(task(4), "one") == hash(9));
  bench.open();
  CHECK(bench.get(task(2)) == hash(2));
  CHECK(bench.get(task(3)) == hash(1));
  CHECK(bench.get(task(4)) == hash(9));
  CHECK(bench.report(task(5), "two") == hash(2));
}

TEST_CASE("what was told with an output can be asked for", "[hashserv]") {
  Bench bench;
  Output output;
  output.task = task(1);
  output.outhash = "out";
  output.details[1] = "zlib";
  output.details[5] = std::string("a line\n\x01 and \xc3\xa9");
  output.details[4] = "";
  REQUIRE(bench.known->report(output, hash(7)));
  output.task = task(2);
  output.details = {};
  REQUIRE(bench.known->report(output, hash(2)));

  auto found = bench.known->output_of(task(1));
  REQUIRE((found && *found));
  CHECK((*found)->unihash == hash(7));
  CHECK((*found)->output.outhash == "out");
  CHECK((*found)->output.created == bench.clock.now() * 1'000'000);
  CHECK((*found)->output.details[0] == std::nullopt);
  CHECK((*found)->output.details[1] == "zlib");
  CHECK((*found)->output.details[4] == "");
  CHECK((*found)->output.details[5] == "a line\n\x01 and \xc3\xa9");
  found = bench.known->output("m", "out", Which::with_unihash);
  REQUIRE((found && *found));
  CHECK((*found)->output.task == task(1));

  CHECK(*bench.known->remove({{"unihash", hash(7)}}) == 2);  // both tasks have it, and keep their outputs
  CHECK_FALSE(*bench.known->output_of(task(1)));
  CHECK_FALSE(*bench.known->output("m", "out", Which::with_unihash));
  found = bench.known->output("m", "out", Which::any);
  REQUIRE((found && *found));
  CHECK_FALSE((*found)->unihash);
  CHECK_FALSE(*bench.known->output("m", "ou", Which::any));
  CHECK_FALSE(*bench.known->output("", "", Which::any));
  CHECK(bench.report(task(2), "out") == hash(2));  // told again it is known again
}

TEST_CASE("rows go by what their columns are", "[hashserv]") {
  Bench bench;
  const auto fill = [&] {
    for (int i = 1; i <= 3; ++i) bench.report(task(i), "out" + std::to_string(i));
    bench.report(task(1, "n"), "out1");
  };
  const auto rows = [&] {
    const auto counts = bench.known->count();
    REQUIRE(counts);
    return std::pair(counts->outhashes, counts->unihashes);
  };
  struct Example {
    HashEquivalence::Where where;
    std::uint64_t removed;
    std::pair<std::uint64_t, std::uint64_t> left;
  };
  const Example examples[] = {
      {{}, 0, {4, 4}},
      {{{"created", "now"}}, 0, {4, 4}},  // no column that counts
      {{{"method", "m"}}, 6, {1, 1}},
      {{{"method", "none"}}, 0, {4, 4}},
      {{{"taskhash", hash(1)}}, 4, {2, 2}},
      {{{"taskhash", hash(1)}, {"method", "n"}}, 2, {3, 3}},
      {{{"outhash", "out1"}}, 2, {2, 4}},
      {{{"unihash", hash(1)}}, 2, {4, 2}},
      {{{"unihash", hash(1)}, {"method", "m"}}, 4, {1, 3}},  // outputs have no unihash: all of the method
      {{{"PN", "zlib"}}, 0, {4, 4}},
  };
  for (const Example& each : examples) {
    REQUIRE(bench.known->remove({{"method", "m"}}));
    REQUIRE(bench.known->remove({{"method", "n"}}));
    fill();
    INFO((each.where.empty() ? "nothing" : each.where.begin()->first));
    CHECK(*bench.known->remove(each.where) == each.removed);
    CHECK(rows() == each.left);
  }
}

TEST_CASE("a condition that no key can be holds for nothing", "[hashserv]") {
  using namespace std::string_literals;
  Bench bench;
  bench.report(task(1), "one");
  for (const char* column : {"method", "taskhash", "unihash", "outhash"}) {
    const std::string key = column == "method"s ? "m" : column == "outhash"s ? "one" : hash(1);
    CHECK(*bench.known->remove({{column, key + "\0m"s}}) == 0);
    CHECK(*bench.known->remove({{column, key + "\0"s}}) == 0);
  }
  CHECK(bench.get(task(1)) == hash(1));
}

TEST_CASE("who reports what is known has asked for it", "[hashserv]") {
  Bench bench;
  bench.report(task(1), "one");
  REQUIRE(bench.known->equate(task(2), hash(2)));
  bench.clock.advance(10 * k_day);
  bench.report(task(1), "one");
  REQUIRE(bench.known->equate(task(2), hash(2)));
  CHECK(bench.known->unasked(bench.clock.now() - k_day, 100, {})->empty());
}

TEST_CASE("a sweep leaves what is marked, and what is newer than the mark", "[hashserv]") {
  Bench bench;
  bench.report(task(1), "one");
  bench.report(task(2), "two");
  bench.report(task(3), "one");
  CHECK(bench.known->sweep("now").error().code() == Errc::invalid_argument);
  CHECK(bench.known->sweep("").error().code() == Errc::invalid_argument);
  CHECK(*bench.known->mark("then", {}) == 0);
  CHECK(bench.known->sweep("then").error().code() == Errc::invalid_argument);  // nothing would be left
  CHECK(*bench.known->mark("now", {{"unihash", hash(1)}}) == 2);
  bench.report(task(4), "four");
  auto status = bench.known->mark_status();
  REQUIRE(status);
  CHECK(std::tuple(status->keep, status->remove, *status->mark) == std::tuple(3U, 1U, "now"));
  CHECK(bench.known->sweep("before").error().code() == Errc::invalid_argument);
  CHECK(*bench.known->sweep("now") == 1);
  CHECK(bench.get(task(2)) == "");
  CHECK(bench.get(task(3)) == hash(1));
  CHECK(bench.get(task(4)) == hash(4));
  CHECK_FALSE(bench.known->mark_status()->mark);
  CHECK(bench.known->unihashes() == 3);
  bench.open();
  CHECK(bench.known->unihashes() == 3);
  bench.known.reset();  // what was swept is in the copy that was made before
  const auto before =
      HashEquivalence::open(bench.directory.path() / "known.backup", bench.clock, Durability::none);
  REQUIRE(before);
  CHECK((*before)->unihashes() == 4);
  CHECK(*(*before)->unihash(task(2)) == hash(2));
  bench.open();

  // The output of what was swept is of no use any more, once it is old enough.
  const std::int64_t now = bench.clock.now() * 1'000'000;
  CHECK(*bench.known->remove_unused_outputs(now) == 0);
  CHECK(*bench.known->remove_unused_outputs(now + 1'000'000) == 1);
  CHECK(bench.known->count()->outhashes == 3);
}

TEST_CASE("what is marked or removed is all of it, whatever was removed before", "[hashserv]") {
  Bench bench;
  constexpr int k_many = 12'000;  // more in a row than a look-up passes over
  for (int i = 1; i <= k_many; ++i) REQUIRE(bench.known->equate(task(i), hash(i)));
  REQUIRE(bench.known->equate({"m", std::string(64, 'b')}, hash(0)));  // behind all of them
  REQUIRE(bench.known->mark("one", {{"taskhash", std::string(64, 'b')}}));
  CHECK(*bench.known->sweep("one") == k_many);
  CHECK(*bench.known->mark("two", {{"method", "m"}}) == 1);
  CHECK(*bench.known->sweep("two") == 0);
  CHECK(bench.known->unihashes() == 1);
  CHECK(*bench.known->remove({{"method", "m"}}) == 1);
}

TEST_CASE("what nobody asks for any more can be forgotten", "[hashserv]") {
  Bench bench;
  bench.report(task(1), "one");
  bench.report(task(2), "one");
  bench.report(task(3), "three");
  const UnixSeconds start = bench.clock.now();
  bench.clock.advance(10 * k_day);
  bench.get(task(2));
  bench.report(task(4), "four");
  const UnixSeconds before = start + k_day;
  auto unasked = bench.known->unasked(before, 100, {});
  REQUIRE(unasked);
  CHECK(*unasked == std::unordered_set<std::string>{hash(1), hash(3)});
  CHECK(bench.known->unasked(before, 1, {})->size() == 1);
  REQUIRE(bench.known->keep({hash(3)}));
  CHECK(bench.known->unasked(before, 100, {})->size() == 1);
  CHECK(*bench.known->forget({hash(1), hash(4)}, before) == 1);
  CHECK(bench.get(task(1)) == "");
  CHECK(bench.get(task(2)) == hash(1));  // it was asked for
  CHECK(bench.get(task(4)) == hash(4));
  CHECK(bench.known->count()->outhashes == 3);
  CHECK(bench.report(task(5), "one") == hash(1));
}

TEST_CASE("a copy is of one moment, and there is one", "[hashserv]") {
  Bench bench;
  bench.report(task(1), "one");
  REQUIRE(bench.known->back_up());
  bench.report(task(2), "one");
  const auto copy = [&] {
    auto opened =
        HashEquivalence::open(bench.directory.path() / "known.backup", bench.clock, Durability::batch);
    REQUIRE(opened);
    return std::move(*opened);
  };
  CHECK(*copy()->unihash(task(1)) == hash(1));
  CHECK_FALSE(*copy()->unihash(task(2)));
  REQUIRE(bench.known->back_up());
  CHECK(*copy()->unihash(task(2)) == hash(1));
  CHECK(bench.get(task(2)) == hash(1));
}

TEST_CASE("the copy takes the place of what is lost, and of nothing else", "[hashserv]") {
  Bench bench;
  const auto place = bench.directory.path() / "known";
  CHECK_FALSE(bench.known->backed_up());
  bench.report(task(1), "one");
  REQUIRE(bench.known->back_up());
  CHECK(bench.known->backed_up());
  CHECK_FALSE(*HashEquivalence::restore(place));
  bench.known.reset();
  std::filesystem::remove_all(place);
  CHECK(*HashEquivalence::restore(place));
  bench.open();
  CHECK(bench.get(task(1)) == hash(1));
  CHECK_FALSE(bench.known->backed_up());
  bench.known.reset();
  std::filesystem::remove_all(place);
  CHECK_FALSE(*HashEquivalence::restore(place));  // there is none any more
}

TEST_CASE("a database is one daemon's", "[hashserv]") {
  Bench bench;
  CHECK(HashEquivalence::open(bench.directory.path() / "known", bench.clock, Durability::batch)
            .error()
            .code() == Errc::busy);
}

TEST_CASE("what a key can be", "[hashserv]") {
  using namespace std::string_literals;
  CHECK(HashEquivalence::can_be_key("oe.sstatesig.OEOuthashBasic"));
  CHECK_FALSE(HashEquivalence::can_be_key("a\0b"s));
  CHECK_FALSE(HashEquivalence::can_be_key(std::string(1000, 'a')));
  CHECK(HashEquivalence::is_unihash(hash(1)));
  CHECK_FALSE(HashEquivalence::is_unihash(hash(1).substr(1)));
  CHECK_FALSE(HashEquivalence::is_unihash(std::string(64, 'A')));
  CHECK_FALSE(HashEquivalence::is_unihash(std::string(63, 'a') + "\n"));
}

// The rules once more, the simple way: rows in the order in which they came.
TEST_CASE("reports, in any order, do as the rules say", "[hashserv][model]") {
  struct Row {
    Task task;
    std::string outhash;
  };
  test::Dice dice(7);
  for (int round = 0; round < 20; ++round) {
    Bench bench;
    std::vector<Row> outputs;
    std::map<std::pair<std::string, std::string>, std::string> names;
    for (int step = 0; step < 60; ++step) {
      const Task who = task(static_cast<int>(dice.below(6)), dice.below(2) == 0 ? "m" : "n");
      const std::string outhash = "o" + std::to_string(dice.below(4));
      auto& name = names[{who.method, who.taskhash}];
      INFO(round << " " << step << " " << who.method << " " << who.taskhash << " " << outhash);
      if (dice.below(8) == 0) {
        if (name.empty()) name = hash(50);
        CHECK(*bench.known->equate(who, hash(50)) == name);
      } else {
        for (const Row& each : outputs) {
          if (!name.empty()) break;
          if (each.outhash == outhash && each.task.method == who.method && each.task != who)
            name = names[{each.task.method, each.task.taskhash}];
        }
        if (name.empty()) name = who.taskhash;
        const bool is_new = std::ranges::none_of(
            outputs, [&](const Row& each) { return each.task == who && each.outhash == outhash; });
        if (is_new) outputs.push_back({who, outhash});
        CHECK(bench.report(who, outhash) == name);
      }
      if (dice.below(20) == 0) bench.open();
      CHECK(bench.get(who) == name);
    }
  }
}
