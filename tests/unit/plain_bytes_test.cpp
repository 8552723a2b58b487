#include "common/plain_bytes.hpp"

#include <string>

#include "tests/support/catch.hpp"

using namespace larder;

namespace {

constexpr std::size_t k_word = sizeof(ByteWord);

}  // namespace

// Every byte at every place of a word, among neighbours that could borrow from it or carry into it.
TEST_CASE("every byte is plain or not wherever it stands", "[plain_bytes]") {
  for (const char neighbour : {' ', '!', 'a', '~'})
    for (int value = 0; value < 256; ++value)
      for (std::size_t place = 0; place < k_word; ++place) {
        std::string text(k_word, neighbour);
        text[place] = static_cast<char>(value);
        const auto plain_from = [&](int lowest) {
          return value >= lowest && value <= '~' && neighbour >= lowest;
        };
        CAPTURE(value, place, neighbour);
        CHECK(all_plain(load_bytes(text.data()), ' ') == plain_from(' '));
        CHECK(all_plain(load_bytes(text.data()), '!') == plain_from('!'));
        CHECK(is_printable(text) == plain_from(' '));
      }
}

TEST_CASE("the first byte of a value is found", "[plain_bytes]") {
  for (const char neighbour : {'$', '&', '\0', '\x7F', '\xA5'})
    for (std::size_t first = 0; first <= k_word; ++first)
      for (std::size_t second = first; second <= k_word; ++second) {
        std::string text(k_word + 1, neighbour);
        text[first] = '%';
        text[second] = '%';
        CHECK(bytes_before(marks_of(load_bytes(text.data()), '%')) == first);
      }
}

TEST_CASE("texts of any length are looked at as a whole", "[plain_bytes]") {
  for (std::size_t length = 0; length <= 3 * k_word; ++length) {
    CHECK(is_printable(std::string(length, 'x')));
    for (std::size_t place = 0; place < length; ++place)
      for (const char defect : {'\0', '\n', '\x1F', '\x7F', '\x80', '\xFF'}) {
        std::string text(length, 'x');
        text[place] = defect;
        CAPTURE(length, place);
        CHECK_FALSE(is_printable(text));
      }
  }
}

TEST_CASE("plain words are skipped up to the first that is not", "[plain_bytes]") {
  for (std::size_t place = 0; place < 3 * k_word; ++place) {
    std::string text(3 * k_word, 'x');
    text[place] = ' ';
    const char* const begin = text.data();
    const auto skipped = static_cast<std::size_t>(skip_plain(begin, begin + text.size(), '!') - begin);
    CHECK(skipped == place / k_word * k_word);
  }
}
