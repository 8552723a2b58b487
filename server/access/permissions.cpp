#include "server/access/permissions.hpp"

#include <algorithm>

#include "common/artifact_key.hpp"

namespace larder {

void Permissions::grant(Right right, const NamespaceSet& where) {
  spaces_[static_cast<std::size_t>(right)].add(where);
  if (right == Right::admin && where.is_all()) {
    for (NamespaceSet& each : spaces_) each.add(where);
  }
}

void Permissions::grant(const RightSet& rights, const NamespaceSet& where) {
  for (const Right each : k_rights) {
    if (rights.has(each)) grant(each, where);
  }
}

void Permissions::grant(const Permissions& others) {
  for (const Right each : k_rights) grant(each, others.of(each));
}

bool Permissions::may(Right right, std::string_view space) const {
  const NamespaceSet& names = of(right);
  return names.is_all() || names.has(namespace_of(space));
}

bool Permissions::may_somewhere(Right right) const {
  return !of(right).empty();
}

bool Permissions::may_everywhere(Right right) const {
  return of(right).is_all();
}

bool Permissions::may(const Need& need) const {
  switch (need.where) {
    case Need::Where::nowhere: return true;
    case Need::Where::space: return may(need.right, need.name_space);
    case Need::Where::somewhere: return may_somewhere(need.right);
    case Need::Where::everywhere: return may_everywhere(need.right);
  }
  return false;
}

bool may_see_snapshot(const Permissions& permissions, const std::vector<std::string>& spaces) {
  return permissions.sees_all() || std::ranges::any_of(spaces, [&](const std::string& each) {
           return permissions.may(Right::read, each);
         });
}

std::string describe(const Permissions& permissions) {
  if (permissions.may_everywhere(Right::admin)) return "everything";
  std::string text;
  std::vector<Right> told;
  for (const Right right : k_rights) {
    const NamespaceSet& where = permissions.of(right);
    if (where.empty() || std::find(told.begin(), told.end(), right) != told.end()) continue;
    text.append(text.empty() ? "" : "; ");
    std::string between;
    for (const Right other : k_rights) {  // those that hold in the same namespaces
      if (!(permissions.of(other) == where)) continue;
      text.append(between).append(name_of(other));
      between = ", ";
      told.push_back(other);
    }
    text.append(" in ").append(where.is_all() ? "all namespaces" : to_string(where));
  }
  return text.empty() ? "nothing" : text;
}

namespace {

NamespaceSet spaces_of(const std::vector<std::string>& words, Origin origin) {
  NamespaceSet spaces;
  for (const std::string& word : words) {
    if (word == "all" || (word == "loopback" && origin == Origin::loopback))
      spaces.add(NamespaceSet::all());
    else if (word != "none" && word != "loopback")
      spaces.add(word);
  }
  return spaces;
}

// What the key `write` means for rights that access.anonymous does not mention.
NamespaceSet by_write(WriteAccess write, Right right, Origin origin) {
  // Who may store may not, for that, make tokens or have directories of this machine read.
  const bool local = write == WriteAccess::loopback || right == Right::admin;
  if (write == WriteAccess::nobody || (local && origin != Origin::loopback)) return {};
  return NamespaceSet::all();
}

}  // namespace

Permissions anonymous_permissions(const Config& config, Origin origin) {
  const AnonymousConfig& anonymous = config.access.anonymous;
  Permissions permissions;
  const auto grant = [&](Right right, const std::vector<std::string>& words) {
    permissions.grant(right,
                      words.empty() ? by_write(config.write, right, origin) : spaces_of(words, origin));
  };
  permissions.grant(Right::read, spaces_of(anonymous.read, origin));
  grant(Right::write, anonymous.write);
  grant(Right::replace, anonymous.replace);
  grant(Right::remove, anonymous.remove);
  grant(Right::admin, anonymous.admin);
  return permissions;
}

Permissions user_permissions(const AccessConfig& config, std::string_view user) {
  Permissions named;
  Permissions others;
  bool is_named = false;
  for (const std::string& line : config.users) {
    const auto grant = parse_grant(line);
    if (!grant) continue;  // check_config() has said so
    if (grant->who == user) named.grant(grant->rights, grant->where);
    is_named = is_named || grant->who == user;
    if (grant->who == k_other_users) others.grant(grant->rights, grant->where);
  }
  return is_named ? named : others;
}

}  // namespace larder
