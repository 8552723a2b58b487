#include "server/store/name_map.hpp"

#include <atomic>
#include <map>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/dice.hpp"

using namespace larder;

namespace {

// Few hashes that crowd together, so that all that a table can do happens.
NameHash crowded(test::Dice& dice) {
  return {std::uint64_t{dice.below(64)} << 58, dice.below(8) * 1024};
}

Entry entry_of(std::uint64_t size) {
  Entry entry;
  entry.size = size;
  return entry;
}

}  // namespace

TEST_CASE("a table of names does what a map does", "[names]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    test::Dice dice(seed);
    NameTable table;
    std::map<NameHash, Entry> model;
    for (int step = 0; step < 2000; ++step) {
      const NameHash hash = crowded(dice);
      if (dice.chance(40)) {
        table.erase(hash);
        model.erase(hash);
      } else {
        const Entry entry = entry_of(dice.below(1000));
        while (table.put(hash, entry) == NameTable::Put::full) table.grow();
        model[hash] = entry;
      }
      REQUIRE(table.size() == model.size());
      const NameHash asked = crowded(dice);
      const Entry* const found = table.find(asked);
      const auto expected = model.find(asked);
      INFO("seed " << seed << ", step " << step);
      REQUIRE((found != nullptr) == (expected != model.end()));
      if (found != nullptr) REQUIRE(*found == expected->second);
    }
    for (const auto& [hash, entry] : model) {
      REQUIRE(table.find(hash) != nullptr);
      REQUIRE(*table.find(hash) == entry);
    }
  }
}

TEST_CASE("a table of names takes less than a hundred bytes a name", "[names]") {
  const KeyedHash hash = KeyedHash::with_random_key();
  NameTable table;
  for (std::size_t count = 1; count <= 30000; ++count) {
    const NameHash name = hash(std::to_string(count));
    while (table.put(name, Entry()) == NameTable::Put::full) table.grow();
    if (count > 2000) REQUIRE(table.bytes() < count * 100);
  }
}

TEST_CASE("a map of names knows nothing before it is complete", "[names]") {
  NameMap map;
  Entry entry;
  const NameHash name{1, 2};
  map.put(name, entry_of(1));
  CHECK(map.find(name, entry) == Found::unknown);
  map.begin(1_MiB, 10);
  CHECK(map.find(name, entry) == Found::unknown);
  CHECK(map.learn(name, entry_of(7)));
  CHECK(map.find(name, entry) == Found::unknown);
  map.complete();
  CHECK(map.find(name, entry) == Found::hit);
  CHECK(entry.size == 7);
  CHECK(map.find(NameHash{1, 3}, entry) == Found::miss);
  CHECK(map.is_complete());
}

TEST_CASE("what changes while a map of names is filled is not undone by what was read before", "[names]") {
  NameMap map;
  Entry entry;
  const NameHash removed{1, 1};
  const NameHash replaced{2, 1};
  const NameHash back_again{3, 1};
  map.begin(1_MiB, 10);
  map.erase(removed);
  map.put(replaced, entry_of(2));
  map.erase(back_again);
  map.put(back_again, entry_of(3));
  for (const NameHash& each : {removed, replaced, back_again}) CHECK(map.learn(each, entry_of(1)));
  map.complete();
  CHECK(map.find(removed, entry) == Found::miss);
  CHECK(map.find(replaced, entry) == Found::hit);
  CHECK(entry.size == 2);
  CHECK(map.find(back_again, entry) == Found::hit);
  CHECK(entry.size == 3);
}

TEST_CASE("a map of names over its limit answers nothing for good, while filling and later", "[names]") {
  const KeyedHash hash = KeyedHash::with_random_key();
  NameMap map;
  Entry entry;
  map.begin(4_MiB, 0);
  std::size_t learned = 0;
  while (map.learn(hash("before" + std::to_string(learned)), Entry())) ++learned;
  CHECK(learned > 20000);
  CHECK(map.bytes() == 0);
  map.complete();
  CHECK_FALSE(map.is_complete());
  CHECK(map.find(hash("before0"), entry) == Found::unknown);

  NameMap later;
  later.begin(4_MiB, 0);
  later.complete();
  for (std::size_t i = 0; i < 100000; ++i) {
    const std::string name = "later" + std::to_string(i);
    later.put(hash(name), Entry());
    REQUIRE(later.find(hash(name), entry) != Found::miss);
  }
  CHECK(later.find(hash("later0"), entry) == Found::unknown);
  CHECK_FALSE(later.is_complete());
}

// One thread changes names, in turn there and not there, and keeps what it has done last where
// readers see it; what they are told lies between what was done before and after they asked.
TEST_CASE("readers of a map of names see no name come back and none go missing", "[names]") {
  constexpr std::size_t k_names = 512;
  const KeyedHash hash = KeyedHash::with_random_key();
  NameMap map;
  std::vector<NameHash> names;
  for (std::size_t i = 0; i < k_names; ++i) names.push_back(hash(std::to_string(i)));
  std::vector<std::atomic<std::uint64_t>> begun(k_names);  // number of the change that the index has
  std::vector<std::atomic<std::uint64_t>> done(k_names);   // and of the last that the map was told of
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};

  std::thread writer([&] {
    test::Dice dice(1);
    for (int step = 0; step < 200000; ++step) {
      const std::size_t i = dice.below(k_names);
      const std::uint64_t number = done[i] + 1;
      begun[i] = number;
      if (number % 2 == 1)
        map.put(names[i], entry_of(number));
      else
        map.erase(names[i]);
      done[i] = number;
    }
    stop = true;
  });
  // Starts while changes go on; what it reads is what the index has.
  std::thread filler([&] {
    map.begin(64_MiB, k_names);
    for (std::size_t i = 0; i < k_names; ++i) {
      const std::uint64_t number = begun[i];
      if (number % 2 == 1) map.learn(names[i], entry_of(number));
    }
    map.complete();
  });
  const auto read = [&](std::uint64_t seed) {
    test::Dice dice(seed);
    while (!stop) {
      const std::size_t i = dice.below(k_names);
      const std::uint64_t before = done[i];
      Entry entry;
      const Found found = map.find(names[i], entry);
      const std::uint64_t after = begun[i];
      if (found == Found::unknown) continue;
      const bool hit_is_right = entry.size >= before && entry.size <= after && entry.size % 2 == 1;
      const bool miss_is_right = before % 2 == 0 || after > before;
      if (found == Found::hit ? !hit_is_right : !miss_is_right) ++wrong;
    }
  };
  std::thread reader([&] { read(2); });
  std::thread other([&] { read(3); });
  for (std::thread* each : {&writer, &filler, &reader, &other}) each->join();
  CHECK(wrong == 0);
  CHECK(map.is_complete());
}
