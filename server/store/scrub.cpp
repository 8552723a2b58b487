// Store::scrub: everything is looked at, in this order, each part in pages and in
// an order that another run can go on from:
//   tree     every name, then every frozen one: its row, its object, its bytes, its archive
//   objects  every object: its place, its mode, and the bytes that no name led to
//   rows     every row of a name: is there a file
//   records  every row of an object: is there an object
//   trash    every file that was removed: its row, its size
//   and every row of the trash: is there a file
//   and whom the contents are counted for
// A change in flight is no defect: what looks wrong is looked at twice more, under
// the lock that uploads hold, or after a while where there is none.
//
// A content is read once in a pass, however many names it has: what the pass has
// read is marked in the index by a time later than the pass's start. Where it has
// several inodes, the mark is of the first, and the others are read as objects.
#include <algorithm>

#include "server/store/layout.hpp"
#include "server/store/scrub_pass.hpp"
#include "server/store/store.hpp"

namespace larder {
namespace {

constexpr std::string_view k_mark =
    "scrub/mark";  // its `started`: later than any time a pass has left so far

}  // namespace

using std::chrono::milliseconds;
using std::chrono::steady_clock;

ScrubPass::ScrubPass(StoreCore& core, const ScrubOptions& options,
                     const std::function<void(const api::VerifyEvent&)>& report, std::stop_token stop)
    : core_(core),
      options_(options),
      report_(report),
      pace_(options.rate, options.time_budget, std::move(stop),
            [this] { return is_background() && core_.scrubbing.is_wanted(); }),
      content_(core, pace_) {}

Result<api::VerifyEvent> ScrubPass::run() {
  LARDER_TRY(begin());
  Result<void> outcome;
  while (outcome && phase_ <= charges) {
    outcome = run_phase();
    if (!outcome) break;
    ++phase_;
    cursor_.position.clear();
  }
  const bool complete = outcome.ok();
  if (complete) {
    cursor_.finished = core_.clock.now();
    cursor_.last_defects = cursor_.defects;
  }
  const Result<void> saved = remember(complete);
  if (!outcome && !pace_.paused()) return outcome.error();
  LARDER_TRY(saved);
  api::VerifyEvent last = counts();
  last.complete = complete;
  last.done = true;
  report_(last);
  return last;
}

Result<void> ScrubPass::begin() {
  if (!core_.index_complete)
    return Error(Errc::busy,
                 "tree and index are still being compared after an unclean stop; try again later");
  LARDER_TRY_ASSIGN(const auto mark, core_.index->note(k_mark));
  const UnixSeconds latest = mark ? decode_cursor(*mark).value_or(ScrubCursor()).started : 0;
  if (!options_.cursor.empty()) {
    LARDER_TRY_ASSIGN(const auto saved, core_.index->note(options_.cursor));
    if (saved) cursor_ = decode_cursor(*saved).value_or(ScrubCursor());
  }
  resumed_ = cursor_.phase != 0 || !cursor_.position.empty();
  if (!resumed_) {
    ScrubCursor fresh;
    fresh.started = std::max(core_.clock.now(), latest);
    fresh.finished = cursor_.finished;
    fresh.last_defects = cursor_.last_defects;
    cursor_ = fresh;
  }
  phase_ = cursor_.phase;
  seed_ = options_.seed != 0 ? options_.seed : static_cast<std::uint64_t>(cursor_.started);
  ScrubCursor next_mark;
  next_mark.started = std::max(latest, cursor_.started + 1);
  LARDER_TRY(core_.index->set_note(k_mark, encode(next_mark)));
  for (const NamespaceConfig& each : core_.options.namespaces)
    total_bytes_ += core_.index->totals(each.name).physical_bytes;
  total_bytes_ += core_.index->totals({}).physical_bytes;  // what snapshots alone hold
  show();
  return {};
}

Result<void> ScrubPass::run_phase() {
  switch (phase_) {
    case tree: return walk_names();
    case objects: return walk_objects();
    case rows: return check_rows();
    case records: return check_records();
    case trash:
      return walk_tree(layout::k_trash, std::string(cursor_.position), &ScrubPass::check_trash_file);
    case trash_rows: return check_trash_rows();
    default: return settle_charges();
  }
}

// Of no place to go on from: it is done in one run, however little time that has.
Result<void> ScrubPass::settle_charges() {
  Result<void> going;
  const auto settled = core_.settle_charges([&] {
    going = pace_.step();
    return !going;
  });
  LARDER_TRY(going);
  return settled ? Result<void>() : settled.error();
}

void ScrubPass::show() {
  if (is_background()) core_.scrubbing.show(cursor_);
}

Result<void> ScrubPass::remember(bool complete) {
  cursor_.phase = complete ? std::uint8_t{0} : phase_;
  if (complete) cursor_.position.clear();
  show();
  if (options_.cursor.empty()) return {};
  return core_.index->set_note(options_.cursor, encode(cursor_));
}

// `position` and everything before it has been looked at.
Result<void> ScrubPass::reached(const std::string& position) {
  cursor_.position = position;
  pace_.progress();
  LARDER_TRY(pace_.step());
  const auto now = steady_clock::now();
  if (now - reported_ >= milliseconds(200)) {
    reported_ = now;
    show();
    report_(counts());
  }
  if (now - remembered_ < std::chrono::seconds(30)) return {};
  remembered_ = now;
  return remember(false);
}

api::VerifyEvent ScrubPass::counts() const {
  api::VerifyEvent event;
  event.names = cursor_.names;
  event.objects = cursor_.objects;
  event.hashed = cursor_.hashed;
  event.bytes = cursor_.bytes;
  event.defects = cursor_.defects;
  event.repaired = cursor_.repaired;
  event.total_bytes = total_bytes_;
  event.resumed = resumed_;
  return event;
}

void ScrubPass::accuse(Defect defect, const std::string& path, const std::string& detail,
                       std::string_view action) {
  ++cursor_.defects;
  if (!action.empty()) ++cursor_.repaired;
  api::VerifyEvent event = counts();
  event.path = path;
  event.defect = name_of(defect);
  event.detail = detail;
  event.action = action;
  report_(event);
}

// Tells of a defect, mended by `mend` if that was asked for.
Result<void> ScrubPass::accuse_and_mend(Defect defect, const std::string& path, const std::string& detail,
                                        std::string_view action, const std::function<Result<void>()>& mend) {
  if (!options_.repair) {
    accuse(defect, path, detail, {});
    return {};
  }
  return mend_and_accuse(defect, path, detail, action, mend);
}

Result<void> ScrubPass::mend_and_accuse(Defect defect, const std::string& path, const std::string& detail,
                                        std::string_view action, const std::function<Result<void>()>& mend) {
  const auto mended = mend();
  if (!mended && !is_of_the_file(mended.error())) return mended;
  accuse(defect, path, mended ? detail : detail + "; " + mended.error().message(),
         mended ? action : std::string_view());
  return {};
}

// Out of everybody's reach, and told of every name.
Result<void> ScrubPass::condemn(const Digest& digest, std::uint64_t inode, const ArtifactKey* found_by,
                                Defect defect, const std::string& detail) {
  const std::string why = "verify: " + detail;
  const auto done = core_.condemn(digest, inode, found_by, why, [&](const std::string& path) {
    accuse(defect, path, detail, "quarantined");
  });
  if (!done && done.error().code() == Errc::not_found) return {};  // removed meanwhile
  return done;
}

Result<std::vector<DirectoryEntry>> ScrubPass::sorted_entries(const std::string& directory) {
  std::vector<DirectoryEntry> entries;
  LARDER_TRY(core_.disk.list(directory, [&](const DirectoryEntry& entry) {
    entries.push_back(entry);
    return true;
  }));
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

Result<ScrubState::Ticket> Store::enter_scrub(ScrubState::Who who) {
  return core_->scrubbing.enter(who);
}

Result<ScrubCursor> Store::scrub_cursor(std::string_view name) const {
  LARDER_TRY_ASSIGN(const auto note, core_->index->note(name));
  return decode_cursor(note.value_or(std::string())).value_or(ScrubCursor());
}

Result<api::VerifyEvent> Store::scrub(const ScrubOptions& options, const ScrubState::Ticket& turn,
                                      const std::function<void(const api::VerifyEvent&)>& report,
                                      std::stop_token stop) {
  if (!turn) return Error(Errc::invalid_argument, "a check needs its turn");
  const bool background = options.cursor == k_background_cursor;
  if (!background && !core_->scrubbing.wait_for_daemon(stop))
    return Error(Errc::cancelled, "the check was stopped");
  return ScrubPass(*core_, options, report, std::move(stop)).run();
}

}  // namespace larder
