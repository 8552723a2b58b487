#include "server/store/ledger_query.hpp"

#include "common/actor.hpp"
#include "common/glob.hpp"

namespace larder {

bool takes(const LedgerQuery& query, const LedgerRecord& record) {
  if (query.action && record.action != *query.action) return false;
  if (query.since && record.time < *query.since) return false;
  if (query.until && record.time > *query.until) return false;
  const std::string_view key = record.key;
  const auto slash = key.find('/');
  if (!query.name_space.empty() && key.substr(0, slash) != query.name_space) return false;
  if (!query.actor.empty() && !means_actor(query.actor, record.actor)) return false;
  if (query.match.empty() || matches_glob(query.match, key)) return true;
  return slash != std::string_view::npos && matches_glob(query.match, key.substr(slash + 1));
}

std::optional<LedgerAction> ledger_action(std::string_view name) {
  constexpr int k_codes = 256;
  if (name == name_of(LedgerAction{})) return std::nullopt;  // what those that are none are called
  for (int code = 1; code < k_codes; ++code) {
    const auto action = static_cast<LedgerAction>(code);
    if (name_of(action) == name) return action;
  }
  return std::nullopt;
}

std::string ledger_actions() {
  std::string all;
  constexpr int k_codes = 256;
  for (int code = 1; code < k_codes; ++code) {
    const std::string_view name = name_of(static_cast<LedgerAction>(code));
    if (name != name_of(LedgerAction{})) all.append(all.empty() ? "" : ", ").append(name);
  }
  return all;
}

}  // namespace larder
