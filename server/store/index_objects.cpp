// Index, the part about contents: what is known of each, and the namespace that it is counted for.
#include "server/store/index_state.hpp"

namespace larder {

// A content is counted for the namespace that stored it first; for nobody ("") while no namespace has a name
// of it, and then for the next that gets one.
Result<void> Index::charge(const Digest& digest, const ObjectRecord& record, Pending& pending) const {
  LARDER_TRY_ASSIGN(const std::optional<ObjectRecord> known, object(digest));
  const bool is_counted = known && !known->charged_to.empty();
  if (is_counted || !pending.charged.insert(digest).second) return {};
  if (known) return move_charge({digest, {}, record.charged_to}, pending);
  pending.batch.Put(state_->family(State::objects), slice(digest.raw()), encode(record));
  NamespaceTotals& charged = state_->sum_of(pending.sums, record.charged_to);
  charged.objects += 1;
  charged.physical_bytes += record.size;
  return {};
}

Result<void> Index::move_charge(const Recharge& recharge, Pending& pending) const {
  LARDER_TRY_ASSIGN(std::optional<ObjectRecord> known, object(recharge.digest));
  if (!known || known->charged_to != recharge.from || recharge.from == recharge.to) return {};
  NamespaceTotals& before = state_->sum_of(pending.sums, recharge.from);
  before.objects -= 1;
  before.physical_bytes -= known->size;
  NamespaceTotals& after = state_->sum_of(pending.sums, recharge.to);
  after.objects += 1;
  after.physical_bytes += known->size;
  known->charged_to = recharge.to;
  pending.batch.Put(state_->family(State::objects), slice(recharge.digest.raw()), encode(*known));
  return {};
}

Result<void> Index::recharge(const Recharge& recharge) {
  const std::lock_guard lock(state_->write_mutex);
  Pending pending;
  LARDER_TRY(move_charge(recharge, pending));
  return state_->write_with_totals(pending.batch, pending.sums);
}

Result<void> Index::recharge(std::span<const Recharge> all, std::uint64_t since) {
  std::unordered_set<Digest> asked;
  for (const Recharge& each : all) asked.insert(each.digest);
  const auto leave_out_told = [&]() {
    return scan_ledger(since, [&](std::uint64_t sequence, const LedgerRecord& line) {
      asked.erase(line.digest);
      since = sequence;
      return true;
    });
  };
  LARDER_TRY(leave_out_told());  // most of it, before anybody has to wait
  const std::lock_guard lock(state_->write_mutex);
  LARDER_TRY(leave_out_told());
  Pending pending;
  for (const Recharge& each : all) {
    if (asked.contains(each.digest)) LARDER_TRY(move_charge(each, pending));
  }
  return state_->write_with_totals(pending.batch, pending.sums);
}

Result<void> Index::forget_object(const Digest& digest) {
  const std::lock_guard lock(state_->write_mutex);
  LARDER_TRY_ASSIGN(const std::optional<ObjectRecord> known, object(digest));
  if (!known) return {};
  NamespaceTotals totals = state_->total_of(known->charged_to);
  totals.objects -= 1;
  totals.physical_bytes -= known->size;
  rocksdb::WriteBatch batch;
  batch.Delete(state_->family(State::objects), slice(digest.raw()));
  return state_->write_with_totals(batch, {{known->charged_to, totals}});
}

Result<void> Index::learn_object(const Digest& digest, const ObjectRecord& record) {
  const std::lock_guard lock(state_->write_mutex);
  LARDER_TRY_ASSIGN(const std::optional<ObjectRecord> known, object(digest));
  if (known) return {};
  NamespaceTotals totals = state_->total_of(record.charged_to);
  totals.objects += 1;
  totals.physical_bytes += record.size;
  rocksdb::WriteBatch batch;
  batch.Put(state_->family(State::objects), slice(digest.raw()), encode(record));
  return state_->write_with_totals(batch, {{record.charged_to, totals}});
}

Result<void> Index::note_verified(const Digest& digest, UnixSeconds when) {
  const std::lock_guard lock(state_->write_mutex);
  LARDER_TRY_ASSIGN(std::optional<ObjectRecord> known, object(digest));
  if (!known) return {};
  known->verified = when;
  rocksdb::WriteBatch batch;
  batch.Put(state_->family(State::objects), slice(digest.raw()), encode(*known));
  return state_->write(batch);
}

}  // namespace larder
