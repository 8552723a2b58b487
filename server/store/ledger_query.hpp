// Which lines of the ledger somebody wants to see.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/store/records.hpp"

namespace larder {

struct LedgerQuery {
  // Travels through co_await: built by name, never inside one (ARCHITECTURE.md).
  LedgerQuery() = default;

  std::string name_space;              // empty: all
  std::string match;                   // a glob over the path, with or without its namespace; empty: all
  std::string actor;                   // a glob; empty: all
  std::optional<LedgerAction> action;  // nothing: all
  std::optional<UnixSeconds> since;    // this second included
  std::optional<UnixSeconds> until;    // likewise
};

bool takes(const LedgerQuery& query, const LedgerRecord& record);

// What name_of() calls so; nothing when that is no action.
std::optional<LedgerAction> ledger_action(std::string_view name);
std::string ledger_actions();  // "put, replace, …": all of them, for people

}  // namespace larder
