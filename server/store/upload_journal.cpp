#include "server/store/upload_journal.hpp"

#include <algorithm>
#include <functional>
#include <random>

#include "server/store/layout.hpp"

namespace larder {
namespace {

constexpr unsigned k_segments = 2;

Digest random_seed() {
  std::random_device device;
  Digest::Bytes bytes{};
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(device());
  return Digest(bytes);
}

std::size_t mark_of(std::string_view key) {
  return std::hash<std::string_view>{}(key);
}

std::size_t mark_of(const Digest& digest) {
  return std::hash<Digest>{}(digest);
}

// 0: there is none, or its header does not read, and nothing of it is placed again.
Result<std::uint64_t> epoch_on_disk(FileSystem& disk, unsigned number) {
  const auto file = disk.open(layout::journal_path(number));
  if (!file && file.error().code() == Errc::not_found) return std::uint64_t{0};
  if (!file) return file.error();
  std::string bytes(size_of_journal_header(), '\0');
  LARDER_TRY_ASSIGN(const std::size_t count, (*file)->read_at(0, std::as_writable_bytes(std::span(bytes))));
  const auto header = decode_journal_header(std::string_view(bytes).substr(0, count));
  return header ? header->epoch : std::uint64_t{0};
}

}  // namespace

Result<std::vector<UploadJournal::Leftover>> UploadJournal::read(FileSystem& disk) {
  std::vector<std::pair<std::uint64_t, std::vector<Leftover>>> segments;
  for (unsigned number = 0; number < k_segments; ++number) {
    const auto file = disk.open(layout::journal_path(number));
    if (!file && file.error().code() == Errc::not_found) continue;
    if (!file) return file.error();
    LARDER_TRY_ASSIGN(std::optional<JournalContent> content, read_journal_segment(**file));
    if (!content) continue;
    std::vector<Leftover> leftovers;
    leftovers.reserve(content->records.size());
    for (JournalRecord& record : content->records) leftovers.push_back({std::move(record), number});
    segments.emplace_back(content->header.epoch, std::move(leftovers));
  }
  std::sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Leftover> all;
  for (auto& [epoch, leftovers] : segments)
    all.insert(all.end(), std::make_move_iterator(leftovers.begin()),
               std::make_move_iterator(leftovers.end()));
  return all;
}

Result<std::string> UploadJournal::body_of(FileSystem& disk, const Leftover& leftover) {
  LARDER_TRY_ASSIGN(const auto file, disk.open(layout::journal_path(leftover.segment)));
  std::string body(static_cast<std::size_t>(leftover.record.name.size), '\0');
  LARDER_TRY_ASSIGN(const std::size_t count,
                    file->read_at(leftover.record.body_at, std::as_writable_bytes(std::span(body))));
  if (count != body.size()) return Error(Errc::io, "the upload journal became shorter while it was read");
  return body;
}

// The older segment goes first, and for good: left alone, it would be placed again over what came later.
Result<void> UploadJournal::clear(FileSystem& disk) {
  std::array<std::pair<std::uint64_t, unsigned>, k_segments> by_age;
  for (unsigned number = 0; number < k_segments; ++number) {
    LARDER_TRY_ASSIGN(by_age[number].first, epoch_on_disk(disk, number));
    by_age[number].second = number;
  }
  std::sort(by_age.begin(), by_age.end());
  for (const auto& [epoch, number] : by_age) {
    const auto removed = disk.remove(layout::journal_path(number));
    if (!removed && removed.error().code() != Errc::not_found) return removed;
    LARDER_TRY(disk.sync_directory(layout::k_journal));
  }
  const auto marked = disk.remove(layout::k_journal_lost);
  return marked || marked.error().code() == Errc::not_found ? Result<void>() : marked;
}

Result<std::unique_ptr<UploadJournal>> UploadJournal::open(FileSystem& disk, Limits limits) {
  std::unique_ptr<UploadJournal> journal(new UploadJournal(disk, limits));
  for (unsigned number = 0; number < k_segments; ++number) {
    Segment& segment = journal->segments_[number];
    LARDER_TRY_ASSIGN(segment.file, disk.open_to_overwrite(layout::journal_path(number)));
    LARDER_TRY(journal->begin(segment, ++journal->last_epoch_));
  }
  LARDER_TRY(disk.sync_directory(layout::k_journal));
  LARDER_TRY(disk.sync_directory(""));
  journal->segments_[0].state = State::writing;
  return journal;
}

// From its beginning; nothing that was in it counts from now on. Nobody else looks at it meanwhile.
Result<void> UploadJournal::begin(Segment& segment, std::uint64_t epoch) {
  JournalHeader header;
  header.epoch = epoch;
  header.seed = random_seed();
  const std::string bytes = encode_journal_header(header);
  LARDER_TRY(segment.file->write_at(0, std::as_bytes(std::span(bytes))));
  LARDER_TRY(segment.file->sync_data());
  segment.epoch = epoch;
  segment.chain = header.seed;
  segment.tail = k_first_journal_record;
  return {};
}

Result<UploadJournal::Pending> UploadJournal::append(std::span<const Entry> uploads) {
  std::vector<Record> records;
  records.reserve(uploads.size());
  std::uint64_t bytes = 0;
  for (const Entry& each : uploads) {
    if (each.body.size() != each.name->size)  // what follows would be lost with it
      return Error(Errc::invalid_argument, "a record of the journal needs the body that it tells of");
    records.push_back({encode_journal_record(each.key, *each.name), each.body});
    bytes += records.back().size();
  }
  Lock lock(mutex_);
  LARDER_TRY(make_room(bytes, lock));
  if (lost_) return *lost_;
  const unsigned number = active_;
  Segment& segment = segments_[number];
  for (const Entry& each : uploads) segment.marks.insert({mark_of(each.key), mark_of(each.name->digest)});
  segment.promised += bytes;
  segment.records += uploads.size();
  ++segment.pending;
  const std::shared_ptr<Group> group = join(records);
  group->changed.wait(lock, [&] { return group->finished || (!writing_ && groups_.front() == group); });
  if (!group->finished) lead(*group, lock);
  if (group->outcome) return Pending(*this, number);
  const Error error = group->outcome.error();
  lock.unlock();
  finish(number);
  return error;
}

std::shared_ptr<UploadJournal::Group> UploadJournal::join(std::vector<Record>& records) {
  if (groups_.empty() || groups_.back()->segment != active_) {
    groups_.push_back(std::make_shared<Group>());
    groups_.back()->segment = active_;
  }
  for (Record& record : records) groups_.back()->records.push_back(&record);
  return groups_.back();
}

// One group at a time: each continues the chain of the one before.
void UploadJournal::lead(Group& group, Lock& lock) {
  writing_ = true;
  groups_.pop_front();
  Segment& segment = segments_[group.segment];
  const std::uint64_t begin = segment.tail;
  Digest chain = segment.chain;
  lock.unlock();
  std::uint64_t end = begin;
  std::vector<File::Piece> pieces;
  pieces.reserve(2 * group.records.size());
  for (Record* record : group.records) {
    chain = chain_journal_record(record->head, chain);
    pieces.push_back(std::as_bytes(std::span(record->head)));
    pieces.push_back(record->body);
    end += record->size();
  }
  Result<void> outcome = segment.file->write_pieces_at(begin, pieces);
  if (outcome) outcome = segment.file->sync_data();
  lock.lock();
  for (const Record* record : group.records) segment.promised -= record->size();
  if (outcome) {  // otherwise the next ones go over it
    segment.tail = end;
    segment.chain = chain;
  }
  group.outcome = std::move(outcome);
  group.finished = true;
  writing_ = false;
  group.changed.notify_all();
  if (!groups_.empty()) groups_.front()->changed.notify_one();
}

Result<void> UploadJournal::make_room(std::uint64_t bytes, Lock& lock) {
  while (true) {
    const Segment& segment = segments_[active_];
    const bool fits = segment.tail + segment.promised + bytes <= limits_.segment + k_first_journal_record &&
                      segment.records < limits_.records;
    if (fits || segment.records == 0) return {};
    LARDER_TRY(turn_over(lock));
  }
}

// The other segment is written from now on, and this one made superfluous.
Result<void> UploadJournal::turn_over(Lock& lock) {
  const unsigned before = active_;
  while (active_ == before && segments_[1 - before].state != State::empty)
    LARDER_TRY(await_empty(segments_[1 - before], lock));
  if (active_ != before) return {};  // somebody else did
  Segment& full = segments_[before];
  full.state = State::full;
  active_ = 1 - before;
  segments_[active_].state = State::writing;
  // Who needs it empty is told if that fails.
  if (full.pending == 0) (void)checkpoint(full, lock);
  return {};
}

// Or written again already.
Result<void> UploadJournal::await_empty(Segment& segment, Lock& lock) {
  const std::uint64_t epoch = segment.epoch;
  while (segment.epoch == epoch && segment.state != State::empty) {
    if (segment.state == State::full && segment.pending == 0) {
      LARDER_TRY(checkpoint(segment, lock));
    } else {
      changed_.wait(lock);
    }
  }
  return {};
}

// All that it tells of is placed: it is made to last, and the segment emptied.
Result<void> UploadJournal::checkpoint(Segment& segment, Lock& lock) {
  if (lost_) return *lost_;
  segment.state = State::syncing;
  const std::uint64_t epoch = ++last_epoch_;
  lock.unlock();
  // Always through the same descriptor, that nobody else syncs with: of several one alone is told of a lost
  // write.
  const Result<void> synced = segments_[0].file->sync_around();
  lock.lock();
  if (!synced) {
    lost_ = synced.error();
    (void)disk_.create(layout::k_journal_lost);
  }
  const Result<void> outcome = synced ? begin(segment, epoch) : synced;
  if (outcome) {
    segment.records = 0;
    segment.marks.clear();
  }
  segment.state = outcome ? State::empty : State::full;
  changed_.notify_all();
  return outcome;
}

void UploadJournal::finish(unsigned number) {
  Lock lock(mutex_);
  Segment& segment = segments_[number];
  if (--segment.pending > 0) return;
  if (segment.state == State::full) (void)checkpoint(segment, lock);  // whoever needs it tries again
  changed_.notify_all();
}

Result<void> UploadJournal::settle(std::string_view key, const Digest& digest) {
  Lock lock(mutex_);
  for (Segment& segment : segments_) {
    const auto& marks = segment.marks;
    if (marks.contains(mark_of(key)) || marks.contains(mark_of(digest)))
      LARDER_TRY(settle_segment(segment, lock));
  }
  return {};
}

Result<void> UploadJournal::settle_all() {
  Lock lock(mutex_);
  for (Segment& segment : segments_) {
    if (segment.records > 0) LARDER_TRY(settle_segment(segment, lock));
  }
  return {};
}

Result<void> UploadJournal::settle_segment(Segment& segment, Lock& lock) {
  const std::uint64_t epoch = segment.epoch;
  while (segment.epoch == epoch && segment.state == State::writing) LARDER_TRY(turn_over(lock));
  if (segment.epoch != epoch) return {};
  return await_empty(segment, lock);
}

}  // namespace larder
