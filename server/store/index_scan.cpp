// Index, the part that walks rows: names, uses, objects, the trash, the ledger.
#include <algorithm>

#include "server/store/index_state.hpp"

namespace larder {

Result<void> Index::scan_objects(std::string_view after, const ObjectVisitor& visit) const {
  std::unique_ptr<rocksdb::Iterator> row(
      state_->db->NewIterator(rocksdb::ReadOptions(), state_->family(State::objects)));
  row->Seek(slice(after));
  if (row->Valid() && view(row->key()) == after) row->Next();
  for (; row->Valid(); row->Next()) {
    const auto digest = Digest::from_bytes(view(row->key()));
    const auto record = decode_object(view(row->value()));
    if (!digest || !record) return Error(Errc::corrupt, "the index has an object that does not decode");
    if (!visit(*digest, *record)) return {};
  }
  if (!row->status().ok()) return index_error("read from", row->status());
  return {};
}

Result<void> Index::scan_names(std::string_view prefix, std::string_view after,
                               const NameVisitor& visit) const {
  std::unique_ptr<rocksdb::Iterator> row(
      state_->db->NewIterator(rocksdb::ReadOptions(), state_->family(State::names)));
  row->Seek(slice(std::max(prefix, after)));
  if (row->Valid() && view(row->key()) == after) row->Next();
  while (row->Valid() && view(row->key()).starts_with(prefix)) {
    const auto record = decode_name(view(row->value()));
    if (!record)
      return Error(Errc::corrupt, "the index has a row that does not decode: " + row->key().ToString());
    const Step step = visit(view(row->key()), *record);
    if (step.kind == Step::Kind::stop) return {};
    if (step.kind == Step::Kind::seek) row->Seek(slice(step.where));
    if (step.kind == Step::Kind::next) row->Next();
  }
  if (!row->status().ok()) return index_error("read from", row->status());
  return {};
}

Result<void> Index::scan_use(std::string_view prefix, const UseVisitor& visit) const {
  const auto iterator = [&](State::Family family) {
    std::unique_ptr<rocksdb::Iterator> row(
        state_->db->NewIterator(rocksdb::ReadOptions(), state_->family(family)));
    row->Seek(slice(prefix));
    return row;
  };
  const auto name = iterator(State::names);
  const auto use = iterator(State::recency);  // both in the order of keys: one step beside the other
  for (; name->Valid() && view(name->key()).starts_with(prefix); name->Next()) {
    const auto record = decode_name(view(name->value()));
    if (!record)
      return Error(Errc::corrupt, "the index has a row that does not decode: " + name->key().ToString());
    while (use->Valid() && use->key().compare(name->key()) < 0) use->Next();
    RecencyRecord seen;
    if (use->Valid() && use->key() == name->key())
      seen = decode_recency(view(use->value())).value_or(RecencyRecord());
    if (!visit(view(name->key()), *record, seen)) return {};
  }
  for (const auto* row : {&name, &use}) {
    if (!(*row)->status().ok()) return index_error("read from", (*row)->status());
  }
  return {};
}

Result<void> Index::scan_trash(std::uint64_t first, std::string_view after, const TrashVisitor& visit) const {
  std::unique_ptr<rocksdb::Iterator> row(
      state_->db->NewIterator(rocksdb::ReadOptions(), state_->family(State::trash)));
  const std::string start = trash_key(first, after);
  for (row->Seek(start); row->Valid(); row->Next()) {
    const std::string_view key = view(row->key());
    if (key == start) continue;
    const auto generation = decode_sequence(key.substr(0, 8));
    const auto record = decode_trash(view(row->value()));
    if (!generation || !record) return Error(Errc::corrupt, "the trash has a row that does not decode");
    if (!visit(*generation, key.substr(8), *record)) return {};
  }
  if (!row->status().ok()) return index_error("read from", row->status());
  return {};
}

Result<std::optional<TrashRecord>> Index::trash(std::uint64_t generation, const ArtifactKey& key) const {
  return state_->get<TrashRecord>(State::trash, trash_key(generation, key.str()), &decode_trash);
}

Result<void> Index::learn_trash(std::uint64_t generation, const ArtifactKey& key, const TrashRecord& record) {
  rocksdb::WriteBatch batch;
  batch.Put(state_->family(State::trash), trash_key(generation, key.str()), encode(record));
  return state_->write(batch);
}

Result<void> Index::forget_trash(std::uint64_t generation, const ArtifactKey& key) {
  const ArtifactKey* const one = &key;
  return forget_trash(generation, std::span(&one, 1));
}

Result<void> Index::forget_trash(std::uint64_t generation, std::span<const ArtifactKey* const> keys) {
  rocksdb::WriteBatch batch;
  for (const ArtifactKey* key : keys)
    batch.Delete(state_->family(State::trash), trash_key(generation, key->str()));
  return state_->write(batch);
}

Result<void> Index::scan_ledger(std::uint64_t since, const LedgerVisitor& visit) const {
  std::unique_ptr<rocksdb::Iterator> row(
      state_->db->NewIterator(rocksdb::ReadOptions(), state_->family(State::ledger)));
  // Not through what was dropped.
  const std::uint64_t start = std::max(since + 1, first_sequence());
  for (row->Seek(encode_sequence(start)); row->Valid(); row->Next()) {
    const auto sequence = decode_sequence(view(row->key()));
    const auto record = decode_ledger(view(row->value()));
    if (!sequence || !record) return Error(Errc::corrupt, "the ledger has a line that does not decode");
    if (!visit(*sequence, *record)) return {};
  }
  if (!row->status().ok()) return index_error("read from", row->status());
  return {};
}

Result<void> Index::scan_ledger_backwards(std::uint64_t below, const LedgerVisitor& visit) const {
  const std::uint64_t first = first_sequence();  // behind it lies what was dropped
  if (below <= first) return {};
  std::unique_ptr<rocksdb::Iterator> row(
      state_->db->NewIterator(rocksdb::ReadOptions(), state_->family(State::ledger)));
  for (row->SeekForPrev(encode_sequence(below - 1)); row->Valid(); row->Prev()) {
    const auto sequence = decode_sequence(view(row->key()));
    const auto record = decode_ledger(view(row->value()));
    if (!sequence || !record) return Error(Errc::corrupt, "the ledger has a line that does not decode");
    if (!visit(*sequence, *record) || *sequence <= first) return {};
  }
  if (!row->status().ok()) return index_error("read from", row->status());
  return {};
}

}  // namespace larder
