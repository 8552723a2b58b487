#include "common/rights.hpp"

#include <algorithm>

#include "common/artifact_key.hpp"

namespace larder {
namespace {

Error invalid(std::string message) {
  return Error(Errc::invalid_argument, std::move(message));
}

// Cuts the next word off; separated by blanks, tabs and commas. Empty: there is none.
std::string_view next_word(std::string_view& text) {
  constexpr std::string_view k_between = " \t,";
  const auto first = text.find_first_not_of(k_between);
  if (first == std::string_view::npos) return text = {};
  text.remove_prefix(first);
  const auto end = std::min(text.find_first_of(k_between), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

}  // namespace

std::string_view name_of(Right right) {
  switch (right) {
    case Right::read: return "read";
    case Right::write: return "write";
    case Right::replace: return "replace";
    case Right::remove: return "delete";
    case Right::admin: return "admin";
  }
  return "unknown";
}

Result<RightSet> parse_rights(std::string_view text) {
  RightSet rights;
  for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
    const auto known =
        std::find_if(k_rights.begin(), k_rights.end(), [&](Right each) { return name_of(each) == word; });
    if (known == k_rights.end())
      return invalid("there is no right '" + std::string(word) +
                     "'; there are read, write, replace, delete and admin");
    rights.add(*known);
  }
  if (rights.empty()) return invalid("needs at least one of read, write, replace, delete and admin");
  return rights;
}

std::string to_string(const RightSet& rights) {
  std::string text;
  for (const Right each : k_rights) {
    if (rights.has(each)) text.append(text.empty() ? "" : ",").append(name_of(each));
  }
  return text;
}

void NamespaceSet::add(std::string_view name) {
  if (!all_ && !has(name)) names_.emplace_back(name);
}

void NamespaceSet::add(const NamespaceSet& other) {
  if (other.all_) {
    all_ = true;
    names_.clear();
  }
  for (const std::string& each : other.names_) add(each);
}

bool NamespaceSet::has(std::string_view name) const {
  return all_ || std::find(names_.begin(), names_.end(), name) != names_.end();
}

Result<NamespaceSet> parse_namespaces(std::string_view text) {
  NamespaceSet names;
  for (std::string_view word = next_word(text); !word.empty(); word = next_word(text)) {
    if (word == "*") {
      names.add(NamespaceSet::all());
      continue;
    }
    if (!is_namespace_name(word)) return invalid("'" + std::string(word) + "' is no name of a namespace");
    names.add(word);
  }
  if (names.empty()) return invalid("needs a namespace, or * for all");
  return names;
}

std::string to_string(const NamespaceSet& names) {
  if (names.is_all()) return "*";
  std::string text;
  for (const std::string& each : names.names()) text.append(text.empty() ? "" : ",").append(each);
  return text;
}

std::string describe(const Need& need) {
  std::string text(name_of(need.right));
  switch (need.where) {
    case Need::Where::nowhere: return "nothing";
    case Need::Where::space: return text + " in " + std::string(namespace_of(need.name_space));
    case Need::Where::somewhere: return text;
    case Need::Where::everywhere: return need.right == Right::admin ? text : text + " in all namespaces";
  }
  return text;
}

Result<Grant> parse_grant(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos)
    return invalid("needs 'NAME = RIGHTS' or 'NAME = RIGHTS on NAMESPACES', not '" + std::string(text) + "'");
  Grant grant;
  std::string_view who = text.substr(0, equals);
  grant.who = next_word(who);
  if (!is_actor_name(grant.who) || !next_word(who).empty())
    return invalid("'" + std::string(text.substr(0, equals)) + "' is no user's name");
  std::string_view rights = text.substr(equals + 1);
  constexpr std::string_view k_on = " on ";
  const auto on = rights.find(k_on);
  grant.where = NamespaceSet::all();
  if (on != std::string_view::npos) {
    LARDER_TRY_ASSIGN(grant.where, parse_namespaces(rights.substr(on + k_on.size())));
    rights = rights.substr(0, on);
  }
  LARDER_TRY_ASSIGN(grant.rights, parse_rights(rights));
  if (grant.rights.has(Right::admin) && !grant.where.is_all())
    return invalid("gives '" + grant.who + "' admin, which is for all namespaces or none: leave 'on' away");
  return grant;
}

bool is_actor_name(std::string_view name) {
  constexpr std::size_t k_longest = 64;
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty() || name.size() > k_longest || !is_letter(name.front())) return false;
  if (name == "anonymous") return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_letter(c) || c == '.' || c == '_' || c == '-' || c == '+'; });
}

}  // namespace larder
