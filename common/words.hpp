// Words as the fields of HTTP have them: blanks around them mean nothing, nor does the case of letters.
#pragma once

#include <algorithm>
#include <string_view>

namespace larder {

// Without the spaces and tabs around it.
inline std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// `lower_case` has no capital letters. ASCII alone.
inline bool is_same_word(std::string_view one, std::string_view lower_case) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return one.size() == lower_case.size() && std::equal(one.begin(), one.end(), lower_case.begin(),
                                                       [&](char a, char b) { return lower(a) == b; });
}

}  // namespace larder
