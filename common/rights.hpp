// What somebody may do, and in which namespaces: values that configuration, tokens
// and front ends share. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace larder {

enum class Right : std::uint8_t {
  read,     // fetch, check, list
  write,    // store under names that are free
  replace,  // store newer bytes under a growing tarball's name
  remove,   // "delete": remove, prune, undo, pin, make and remove snapshots
  admin,    // everything; and tokens, adopt, checkout, verify. Only in all namespaces
};
inline constexpr std::array<Right, 5> k_rights = {Right::read, Right::write, Right::replace, Right::remove,
                                                  Right::admin};

std::string_view name_of(Right right);  // "delete" for remove

class RightSet {
 public:
  RightSet() = default;
  RightSet(std::initializer_list<Right> rights) {
    for (const Right each : rights) add(each);
  }
  void add(Right right) { bits_ = static_cast<std::uint8_t>(bits_ | bit(right)); }
  bool has(Right right) const { return (bits_ & bit(right)) != 0; }
  bool empty() const { return bits_ == 0; }
  bool operator==(const RightSet&) const = default;

 private:
  static std::uint8_t bit(Right right) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(right));
  }
  std::uint8_t bits_ = 0;
};

// "read,write" or "read write". Errc::invalid_argument for other words, and for none.
Result<RightSet> parse_rights(std::string_view text);
std::string to_string(const RightSet& rights);  // "read,write"

// All namespaces, or those listed.
class NamespaceSet {
 public:
  static NamespaceSet all() { return NamespaceSet(true); }
  NamespaceSet() = default;  // none

  void add(std::string_view name);
  void add(const NamespaceSet& other);
  bool has(std::string_view name) const;  // of a namespace itself, not of a snapshot's
  bool is_all() const { return all_; }
  bool empty() const { return !all_ && names_.empty(); }
  const std::vector<std::string>& names() const { return names_; }  // without meaning when is_all()
  bool operator==(const NamespaceSet&) const = default;

 private:
  explicit NamespaceSet(bool all) : all_(all) {}
  bool all_ = false;
  std::vector<std::string> names_;
};

// "*", or names separated by commas or blanks. Errc::invalid_argument for what can name no namespace.
Result<NamespaceSet> parse_namespaces(std::string_view text);
std::string to_string(const NamespaceSet& names);  // "*", "a,b"; "" for none

// What a request needs.
struct Need {
  enum class Where {
    nowhere,    // nothing is needed
    space,      // the right in `name_space`
    somewhere,  // the right in any namespace; what it is about is looked at later
    everywhere  // in all of them
  };
  Where where = Where::nowhere;
  Right right = Right::read;
  std::string name_space;  // of a snapshot, too: "@NAME/NAMESPACE"
  bool operator==(const Need&) const = default;
};
std::string describe(const Need& need);  // "write in sstate-cache"

// A line of access.users: "anna = read write on sstate-cache"; without "on" in all namespaces.
struct Grant {
  std::string who;  // a user's name; "others": every user that no line names
  RightSet rights;
  NamespaceSet where;
  bool operator==(const Grant&) const = default;
};
inline constexpr std::string_view k_other_users = "others";
Result<Grant> parse_grant(std::string_view text);

// [A-Za-z0-9][A-Za-z0-9._+-]*, at most 64 bytes: of tokens and users. Never an address with colons,
// and never "anonymous".
bool is_actor_name(std::string_view name);

}  // namespace larder
