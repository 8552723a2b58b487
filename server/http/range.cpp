#include "server/http/range.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace larder::http {
namespace {

constexpr std::uint64_t k_largest = std::numeric_limits<std::uint64_t>::max();

// 1*DIGIT. Numbers past 2^64 are legal positions far behind any object, so
// they read as the largest there is.
std::optional<std::uint64_t> position(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (k_largest - digit) / 10 ? k_largest : value * 10 + digit;
  }
  return value;
}

bool is_bytes(std::string_view unit) {
  constexpr std::string_view k_bytes = "bytes";
  return std::equal(unit.begin(), unit.end(), k_bytes.begin(), k_bytes.end(),
                    [](char a, char b) { return (a | 0x20) == b; });
}

RangeDecision suffix(std::uint64_t length, std::uint64_t size) {
  if (length == 0) return {RangeDecision::Kind::unsatisfiable, 0, 0};
  if (size == 0) return {};  // satisfiable, but no Content-Range can say so
  const std::uint64_t taken = std::min(length, size);
  return {RangeDecision::Kind::slice, size - taken, taken};
}

}  // namespace

RangeDecision parse_range(std::string_view header, std::uint64_t size) {
  const auto equals = header.find('=');
  if (equals == std::string_view::npos || !is_bytes(header.substr(0, equals))) return {};
  const std::string_view spec = header.substr(equals + 1);
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos) return {};

  const std::string_view last_text = spec.substr(dash + 1);
  if (dash == 0) {
    const auto length = position(last_text);
    return length ? suffix(*length, size) : RangeDecision{};
  }
  const auto first = position(spec.substr(0, dash));
  const auto last = last_text.empty() ? std::optional(k_largest) : position(last_text);
  if (!first || !last || *last < *first) return {};
  if (*first >= size) return {RangeDecision::Kind::unsatisfiable, 0, 0};
  return {RangeDecision::Kind::slice, *first, std::min(*last, size - 1) - *first + 1};
}

std::string content_range(const RangeDecision& decision, std::uint64_t size) {
  std::string text = "bytes ";
  if (decision.kind == RangeDecision::Kind::slice) {
    text += std::to_string(decision.first);
    text += '-';
    text += std::to_string(decision.first + decision.length - 1);
  } else {
    text += '*';
  }
  text += '/';
  text += std::to_string(size);
  return text;
}

}  // namespace larder::http
