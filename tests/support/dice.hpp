// Numbers that look random and are the same everywhere for one seed. The
// standard distributions are not: each library has its own.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <string_view>

namespace larder::test {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  // SplitMix64 (Steele, Lea, Flood 2014).
  std::uint64_t roll() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  std::uint64_t below(std::uint64_t limit) { return roll() % limit; }
  bool chance(unsigned percent) { return below(100) < percent; }

  template <typename Container>
  const auto& pick(const Container& from) {
    return from[below(std::size(from))];
  }

  std::string text(std::size_t length, std::string_view alphabet) {
    std::string result;
    for (std::size_t i = 0; i < length; ++i) result += alphabet[below(alphabet.size())];
    return result;
  }
  std::string hex(std::size_t digits) { return text(digits, "0123456789abcdef"); }
  // What mkstemp and Python's tempfile append.
  std::string suffix(std::size_t length) { return text(length, "abcdefghijklmnopqrstuvwxyz0123456789_"); }

  // Sizes of build artifacts are roughly log-normal: many small, few huge.
  double log_normal(double median, double sigma) {
    const double u = (static_cast<double>(roll() >> 11) + 1) / 9007199254740993.0;
    const double v = static_cast<double>(roll() >> 11) / 9007199254740992.0;
    const double normal = std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
    return median * std::exp(sigma * normal);
  }

 private:
  std::uint64_t state_;
};

}  // namespace larder::test
