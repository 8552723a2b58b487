// What somebody may do: for each right the namespaces it holds in. And the one place that
// decides. Pure.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "common/rights.hpp"
#include "server/config.hpp"

namespace larder {

class Permissions {
 public:
  void grant(Right right, const NamespaceSet& where);
  void grant(const RightSet& rights, const NamespaceSet& where);
  void grant(const Permissions& others);  // whatever those have

  bool may(Right right, std::string_view space) const;
  bool may_somewhere(Right right) const;
  bool may_everywhere(Right right) const;
  bool may(const Need& need) const;
  bool sees_all() const { return may_everywhere(Right::read); }

  const NamespaceSet& of(Right right) const { return spaces_[static_cast<std::size_t>(right)]; }

  bool operator==(const Permissions&) const = default;

 private:
  std::array<NamespaceSet, k_rights.size()> spaces_;
};

// Whether the name of a snapshot that has something of `spaces` may be told.
bool may_see_snapshot(const Permissions& permissions, const std::vector<std::string>& spaces);

// "read, write in sstate-cache; delete in all namespaces": for messages; "nothing".
std::string describe(const Permissions& permissions);

enum class Origin { loopback, elsewhere };

// Of somebody who does not say who they are, by `access.anonymous` and `write`.
Permissions anonymous_permissions(const Config& config, Origin origin);
// Of a user, by `access.users`, without what everybody has.
Permissions user_permissions(const AccessConfig& config, std::string_view user);

}  // namespace larder
