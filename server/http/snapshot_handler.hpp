// Snapshots (common/snapshot_api.hpp). Everybody may see them, those who may write make them.
#pragma once

#include "server/http/exchange.hpp"
#include "server/http/target.hpp"

namespace larder::http {

Task<void> serve_snapshots(Exchange& exchange, const Target& target);
Task<void> serve_restore(Exchange& exchange, const Target& target);
// Its namespaces, as far as the asker may read them. Errc::not_found: there is none, or none that may be
// seen.
Result<api::Listing> list_snapshot(const Exchange& exchange, const Target& target);
Task<void> serve_snapshot_root(Exchange& exchange, const Target& target);  // /@NAME: its namespaces

}  // namespace larder::http
