// The ledger, read from its end, and cut short at its beginning.
#include "server/store/store.hpp"

namespace larder {

Result<Store::LedgerPage> Store::ledger(const LedgerQuery& query, std::uint64_t below,
                                        std::size_t limit) const {
  constexpr std::size_t k_most_rows = 4096;  // looked at in one call, however few of them match
  LedgerPage page;
  std::size_t rows = 0;
  bool any_young_enough = false;
  const auto visit = [&](std::uint64_t sequence, const LedgerRecord& record) {
    if (page.lines.size() == limit || rows == k_most_rows) {
      page.more = true;
      return false;
    }
    ++rows;
    page.reached = sequence;
    if (!query.since || record.time >= *query.since) any_young_enough = true;
    if (takes(query, record)) page.lines.push_back({sequence, record});
    return true;
  };
  LARDER_TRY(core_->index->scan_ledger_backwards(below, visit));
  // A clock that was set back for a while does not end the search; a whole page of older lines does.
  if (rows == k_most_rows && !any_young_enough) page.more = false;
  return page;
}

Result<std::uint64_t> Store::trim_ledger(UnixSeconds time) {
  return core_->index->trim_ledger(time);
}

}  // namespace larder
