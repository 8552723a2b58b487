// Store::scrub: everything is looked at, in this order, each part in pages and in
// an order that another run can go on from:
//   tree     every name: its row, its object, its bytes, its archive
//   objects  every object: its place, its mode, and the bytes that no name led to
//   rows     every row of a name: is there a file
//   records  every row of an object: is there an object
// A change in flight is no defect: what looks wrong is looked at twice more, under
// the lock that uploads hold, or after a while where there is none.
//
// A content is read once in a pass, however many names it has: what the pass has
// read is marked in the index by a time later than the pass's start.
#include <algorithm>
#include <unordered_set>

#include "common/archive_check.hpp"
#include "server/store/layout.hpp"
#include "server/store/scrub_content.hpp"
#include "server/store/store.hpp"

namespace larder {
namespace {

using Kind = ContentCheck::Finding::Kind;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view k_mark =
    "scrub/mark";  // its `started`: later than any time a pass has left so far
constexpr std::uint32_t k_sealed_mode = 0444;
constexpr milliseconds k_short_pause(20);
constexpr milliseconds k_long_pause(200);

enum Phase : std::uint8_t { tree, objects, rows, records };

class Scrubber {
 public:
  Scrubber(StoreCore& core, const ScrubOptions& options,
           const std::function<void(const api::VerifyEvent&)>& report, std::stop_token stop)
      : core_(core),
        options_(options),
        report_(report),
        pace_(options.rate, options.time_budget, std::move(stop),
              [this] { return is_background() && core_.scrubbing.is_wanted(); }),
        content_(core, pace_) {}

  Result<api::VerifyEvent> run() {
    LARDER_TRY(begin());
    Result<void> outcome;
    while (outcome && phase_ <= records) {
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

 private:
  // The pass -------------------------------------------------------------------

  bool is_background() const { return options_.cursor == k_background_cursor; }

  Result<void> begin() {
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
    show();
    return {};
  }

  Result<void> run_phase() {
    switch (phase_) {
      case tree: return walk_tree(layout::k_tree, std::string(cursor_.position));
      case objects: return walk_objects();
      case rows: return check_rows();
      default: return check_records();
    }
  }

  void show() {
    if (is_background()) core_.scrubbing.show(cursor_);
  }

  Result<void> remember(bool complete) {
    cursor_.phase = complete ? std::uint8_t{0} : phase_;
    if (complete) cursor_.position.clear();
    show();
    if (options_.cursor.empty()) return {};
    return core_.index->set_note(options_.cursor, encode(cursor_));
  }

  // `position` and everything before it has been looked at.
  Result<void> reached(const std::string& position) {
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

  // Findings -------------------------------------------------------------------

  api::VerifyEvent counts() const {
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

  void accuse(Defect defect, const std::string& path, const std::string& detail, std::string_view action) {
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
  Result<void> accuse_and_mend(Defect defect, const std::string& path, const std::string& detail,
                               std::string_view action, const std::function<Result<void>()>& mend) {
    if (!options_.repair) {
      accuse(defect, path, detail, {});
      return {};
    }
    const auto mended = mend();
    if (!mended && !is_of_the_file(mended.error())) return mended;
    accuse(defect, path, mended ? detail : detail + "; " + mended.error().message(),
           mended ? action : std::string_view());
    return {};
  }

  // As opposed to an index or a disk that cannot be written.
  static bool is_of_the_file(const Error& error) {
    return error.code() == Errc::forbidden || error.code() == Errc::io || error.code() == Errc::not_found ||
           error.code() == Errc::busy || error.code() == Errc::conflict;
  }

  // Out of everybody's reach, and told of every name.
  Result<void> condemn(const Digest& digest, std::uint64_t inode, const ArtifactKey* found_by, Defect defect,
                       const std::string& detail) {
    const std::string why = "verify: " + detail;
    const auto done = core_.condemn(digest, inode, found_by, why, [&](const std::string& path) {
      accuse(defect, path, detail, "quarantined");
    });
    if (!done && done.error().code() == Errc::not_found) return {};  // removed meanwhile
    return done;
  }

  Result<std::vector<DirectoryEntry>> sorted_entries(const std::string& directory) {
    std::vector<DirectoryEntry> entries;
    LARDER_TRY(core_.disk.list(directory, [&](const DirectoryEntry& entry) {
      entries.push_back(entry);
      return true;
    }));
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
  }

  // The tree -------------------------------------------------------------------

  // From behind `after`, a path below data/; "" for all.
  Result<void> walk_tree(const std::string& directory, const std::string& after) {
    const auto entries = sorted_entries(directory);
    if (!entries && entries.error().code() == Errc::not_found) return {};  // removed meanwhile
    if (!entries && is_of_the_file(entries.error())) {
      accuse(Defect::unreadable, directory, entries.error().message(), {});
      return {};
    }
    if (!entries) return entries.error();
    // What of `after` lies in this directory: all before it is done, and it is if it is a file.
    const bool goes_on = after.starts_with(directory + "/");
    const std::string rest = goes_on ? after.substr(directory.size() + 1) : std::string();
    const std::string first = rest.substr(0, rest.find('/'));
    for (const DirectoryEntry& entry : *entries) {
      if (goes_on && entry.name < first) continue;
      const std::string path = directory + "/" + entry.name;
      if (entry.type == FileType::directory) {
        const bool foreign_namespace = directory == layout::k_tree && !core_.find_namespace(entry.name);
        if (!foreign_namespace) LARDER_TRY(walk_tree(path, after));
        continue;
      }
      if (goes_on && entry.name == first) continue;
      LARDER_TRY(check_entry(path, entry.type));
      LARDER_TRY(reached(path));
    }
    return {};
  }

  Result<void> check_entry(const std::string& path, FileType type) {
    const auto key = ArtifactKey::parse(std::string_view(path).substr(layout::k_tree.size() + 1));
    if (type != FileType::file || !key) {
      accuse(Defect::foreign, path, type == FileType::file ? key.error().message() : "is no file", {});
      return {};
    }
    ++cursor_.names;
    const auto checked = check_name(*key);
    if (!checked && checked.error().code() == Errc::cancelled) --cursor_.names;  // another run begins with it
    if (checked || checked.error().code() == Errc::cancelled || !is_of_the_file(checked.error()))
      return checked;
    accuse(Defect::unreadable, key->str(), checked.error().message(), {});
    return {};
  }

  struct Look {
    std::optional<NameRecord> row;
    FileStatus status;
    bool there = false;  // a file of this name
    bool fits = false;   // and it is the one the row tells of, as far as can be told without reading it
  };

  Result<Look> look_at(const ArtifactKey& key) {
    Look look;
    LARDER_TRY_ASSIGN(look.row, core_.index->name(key));
    const auto status = core_.disk.status(layout::tree_path(key));
    if (!status && status.error().code() == Errc::not_found) return look;
    if (!status) return status.error();
    look.status = *status;
    look.there = status->type == FileType::file;
    look.fits = look.there && look.row && look.row->size == status->size &&
                (status->size == 0 || core_.objects.holds(look.row->digest, status->inode));
    return look;
  }

  Result<Look> look_twice_more(const ArtifactKey& key) {
    Look look;
    for (const milliseconds pause : {milliseconds(0), k_short_pause}) {
      LARDER_TRY(pace_.wait(pause));
      const auto lock = core_.key_locks.lock(key);
      LARDER_TRY_ASSIGN(look, look_at(key));
      if (!look.there || look.fits) break;
    }
    return look;
  }

  Result<void> check_name(const ArtifactKey& key) {
    LARDER_TRY_ASSIGN(Look look, look_at(key));
    if (!look.there) return {};
    if (!look.fits) {
      LARDER_TRY_ASSIGN(look, look_twice_more(key));
    }
    if (!look.there) return {};
    if (!look.row) return check_unknown_file(key);
    if (!look.fits) return check_misfit(key, *look.row, look.status);
    if (look.row->size == 0) return check_mode(layout::tree_path(key), key.str());
    return check_content(key, *look.row, look.status);
  }

  Result<void> check_unknown_file(const ArtifactKey& key) {
    return accuse_and_mend(Defect::unknown_file, key.str(), "in the tree, and not in the index", "entered",
                           [&]() -> Result<void> {
                             LARDER_TRY(learn_inodes());
                             const auto entered = core_.enter_from_tree(key, *inodes_);
                             if (!entered) return entered.error();
                             return {};
                           });
  }

  // Its file is not the object of its row.
  Result<void> check_misfit(const ArtifactKey& key, const NameRecord& row, const FileStatus& status) {
    const std::string path = layout::tree_path(key);
    LARDER_TRY_ASSIGN(const auto finding, content_.hash(path, status.inode, row.digest));
    count(finding);
    const bool filed = status.size != 0 && core_.objects.holds(row.digest, status.inode);
    switch (finding.kind) {
      case Kind::moved: return {};
      case Kind::unreadable:
        return accuse_and_mend(Defect::unreadable, key.str(), finding.detail, "quarantined",
                               [&] { return set_aside(key, status.inode, finding.detail); });
      case Kind::differs: {
        if (filed) return condemn(row.digest, status.inode, &key, Defect::corrupt, finding.detail);
        LARDER_TRY(set_aside(key, status.inode, finding.detail));
        accuse(Defect::corrupt, key.str(), finding.detail, "quarantined");
        return {};
      }
      case Kind::sound: break;
    }
    if (row.size != status.size) {
      return accuse_and_mend(Defect::wrong_row, key.str(), "its row tells another size", "repaired",
                             [&]() -> Result<void> {
                               LARDER_TRY(learn_inodes());
                               const auto entered = core_.enter_from_tree(key, *inodes_);
                               if (!entered) return entered.error();
                               return {};
                             });
    }
    return check_apart(key, row, status);
  }

  // A file of its own with the right bytes: the object is lost, damaged, or just another.
  Result<void> check_apart(const ArtifactKey& key, const NameRecord& row, const FileStatus& status) {
    const std::string object = layout::object_path(row.digest, 0);
    const auto there = core_.disk.status(object);
    if (there) {
      LARDER_TRY_ASSIGN(const auto finding, content_.hash(object, there->inode, row.digest));
      count(finding);
      if (finding.kind == Kind::differs)
        LARDER_TRY(condemn(row.digest, there->inode, nullptr, Defect::corrupt, finding.detail));
      if (finding.kind == Kind::sound)
        return accuse_and_mend(Defect::apart, key.str(),
                               "is a file of its own, beside the object of its bytes", "repaired",
                               [&] { return core_.rejoin(key, row.digest, status.inode); });
    }
    lost_.insert(row.digest.hex());
    return accuse_and_mend(Defect::lost_object, key.str(), "its object is missing from " + object, "repaired",
                           [&] { return core_.refile(key, row.digest); });
  }

  Result<void> set_aside(const ArtifactKey& key, std::uint64_t inode, const std::string& why) {
    const auto aside = core_.set_aside_inode(key, inode, "verify: " + why);
    if (!aside) return aside.error();
    return {};
  }

  // Contents -------------------------------------------------------------------

  // FNV-1a over the digest and the seed: the same ones are taken wherever the walk begins.
  bool is_picked(const Digest& digest) const {
    if (options_.level == ScrubLevel::full) return true;
    if (options_.level == ScrubLevel::quick) return false;
    std::uint64_t hash = 14695981039346656037U ^ seed_;
    for (const char byte : digest.raw()) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211U;
    constexpr std::uint64_t k_parts = 1'000'000;
    return static_cast<double>((hash >> 16) % k_parts) < options_.sample_percent / 100 * k_parts;
  }

  bool is_due(const Digest& digest, const std::optional<ObjectRecord>& record) const {
    return is_picked(digest) && (!record || record->verified <= cursor_.started);
  }

  void count(const ContentCheck::Finding& finding) {
    if (finding.kind == Kind::moved) return;
    ++cursor_.hashed;
    cursor_.bytes += finding.bytes;
  }

  Result<void> note_verified(const Digest& digest) {
    const UnixSeconds when = std::max(core_.clock.now(), cursor_.started + 1);
    return core_.index->note_verified(digest, when);
  }

  Result<void> check_content(const ArtifactKey& key, const NameRecord& row, const FileStatus& status) {
    LARDER_TRY_ASSIGN(const auto record, core_.index->object(row.digest));
    if (!record) LARDER_TRY(check_record(row.digest, status, std::string(key.name_space())));
    const bool archive = is_checkable_archive(key.path());
    const std::string path = layout::tree_path(key);
    const std::string hex = row.digest.hex();
    if (!is_due(row.digest, record)) {
      if (!archive || unread_archives_.erase(hex) == 0) return {};
      return check_archive_of(key, row, status);
    }
    LARDER_TRY_ASSIGN(const auto finding, content_.hash(path, status.inode, row.digest));
    count(finding);
    if (finding.kind == Kind::moved) return {};
    if (finding.kind == Kind::differs)
      return condemn(row.digest, status.inode, &key, Defect::corrupt, finding.detail);
    if (finding.kind == Kind::unreadable)
      return unreadable_object(row.digest, status.inode, &key, finding.detail);
    if (archive) LARDER_TRY(check_archive_of(key, row, status));
    const bool others_may_be = !archive && status.links > 2;
    if (others_may_be) unread_archives_.insert(hex);
    return note_verified(row.digest);
  }

  Result<void> check_archive_of(const ArtifactKey& key, const NameRecord& row, const FileStatus& status) {
    LARDER_TRY_ASSIGN(const auto finding, content_.read_archive(layout::tree_path(key)));
    if (finding.kind != Kind::unreadable) return {};
    if (!options_.repair) {
      accuse(Defect::broken_archive, key.str(), finding.detail, {});
      return {};
    }
    std::vector<ArtifactKey> names = {key};
    if (status.links > 2) {
      LARDER_TRY_ASSIGN(names, core_.names_of(row.digest));
    }
    for (const ArtifactKey& each : names) {
      if (!is_checkable_archive(each.path())) continue;
      LARDER_TRY(set_aside(each, status.inode, finding.detail));
      accuse(Defect::broken_archive, each.str(), finding.detail, "quarantined");
    }
    return {};
  }

  // A disk that fails for a moment must not empty the store: only when asked to.
  Result<void> unreadable_object(const Digest& digest, std::uint64_t inode, const ArtifactKey* key,
                                 const std::string& detail) {
    if (options_.repair) return condemn(digest, inode, key, Defect::unreadable, detail);
    accuse(Defect::unreadable, key != nullptr ? key->str() : layout::object_path(digest, 0), detail, {});
    return {};
  }

  // The index knows nothing of an object, which an upload may be about to change.
  Result<void> check_record(const Digest& digest, const FileStatus& status, const std::string& name_space) {
    constexpr UnixSeconds k_young = 60;
    constexpr std::int64_t k_nanoseconds = 1'000'000'000;
    if (core_.clock.now() - status.changed / k_nanoseconds < k_young) return {};
    for (const milliseconds pause : {k_short_pause, k_long_pause}) {
      LARDER_TRY(pace_.wait(pause));
      LARDER_TRY_ASSIGN(const auto record, core_.index->object(digest));
      const bool gone = !core_.disk.status(layout::object_path(digest, 0));
      if (record || gone) return {};
    }
    return accuse_and_mend(Defect::wrong_record, layout::object_path(digest, 0), "the index does not know it",
                           "repaired", [&] {
                             ObjectRecord record;
                             record.size = status.size;
                             record.charged_to = name_space;
                             return core_.objects.while_stored(
                                 digest, [&] { return core_.index->learn_object(digest, record); });
                           });
  }

  // The objects ----------------------------------------------------------------

  Result<void> walk_objects() {
    LARDER_TRY_ASSIGN(const auto directories, sorted_entries(layout::k_objects));
    for (const DirectoryEntry& directory : directories) {
      const std::string path = layout::k_objects + "/" + directory.name;
      if (directory.type != FileType::directory) {
        accuse(Defect::foreign, path, "is no directory", {});
        continue;
      }
      if (path < cursor_.position.substr(0, path.size())) continue;
      LARDER_TRY_ASSIGN(const auto entries, sorted_entries(path));
      for (const DirectoryEntry& entry : entries) {
        const std::string object = path + "/" + entry.name;
        if (object <= cursor_.position) continue;
        LARDER_TRY(check_object_entry(directory.name, object, entry));
        LARDER_TRY(reached(object));
      }
    }
    return {};
  }

  Result<void> check_object_entry(const std::string& directory, const std::string& path,
                                  const DirectoryEntry& entry) {
    Digest digest;
    const bool placed = entry.type == FileType::file && layout::parse_object_name(entry.name, digest) &&
                        entry.name.starts_with(directory);
    if (!placed) {
      accuse(Defect::foreign, path, "is no object", {});
      return {};
    }
    ++cursor_.objects;
    const auto checked = check_object(path, digest);
    if (!checked && checked.error().code() == Errc::cancelled) --cursor_.objects;
    if (checked || checked.error().code() == Errc::cancelled || !is_of_the_file(checked.error()))
      return checked;
    if (checked.error().code() == Errc::not_found) return {};  // collected meanwhile
    accuse(Defect::unreadable, path, checked.error().message(), {});
    return {};
  }

  Result<void> check_object(const std::string& path, const Digest& digest) {
    LARDER_TRY_ASSIGN(const FileStatus status, core_.disk.status(path));
    LARDER_TRY_ASSIGN(const auto record, core_.index->object(digest));
    const bool other_size = record && record->size != status.size;
    if (is_due(digest, record) || other_size) {
      LARDER_TRY_ASSIGN(const auto finding, content_.hash(path, status.inode, digest));
      count(finding);
      if (finding.kind == Kind::moved) return {};
      if (finding.kind == Kind::differs)
        return condemn(digest, status.inode, nullptr, Defect::corrupt, finding.detail);
      if (finding.kind == Kind::unreadable)
        return unreadable_object(digest, status.inode, nullptr, finding.detail);
      LARDER_TRY(note_verified(digest));
    }
    if (status.links == 1) {
      LARDER_TRY_ASSIGN(const bool collected, check_orphan(path, digest));
      if (collected) return {};
    }
    if (other_size) LARDER_TRY(check_object_size(path, digest, *record, status));
    const bool kept_only = !record && status.links > 1;  // by trash or snapshots: names were looked at before
    if (kept_only) LARDER_TRY(check_record(digest, status, core_.options.namespaces.front().name));
    return check_mode(path, path);
  }

  // True when it is gone.
  Result<bool> check_orphan(const std::string& path, const Digest& digest) {
    for (const milliseconds pause : {milliseconds(0), k_short_pause}) {
      LARDER_TRY(pace_.wait(pause));
      LARDER_TRY_ASSIGN(const bool unused, core_.objects.has_unused(digest));
      if (!unused) return false;
    }
    LARDER_TRY(accuse_and_mend(Defect::orphan, path, "no name leads to it", "removed",
                               [&] { return collect(digest); }));
    return options_.repair;
  }

  Result<void> collect(const Digest& digest) {
    return core_.objects.collect(digest, [&] { (void)core_.index->forget_object(digest); });
  }

  Result<void> check_object_size(const std::string& path, const Digest& digest, ObjectRecord record,
                                 const FileStatus& status) {
    return accuse_and_mend(Defect::wrong_record, path, "the index tells another size", "repaired",
                           [&]() -> Result<void> {
                             record.size = status.size;
                             return core_.objects.while_stored(digest, [&]() -> Result<void> {
                               LARDER_TRY(core_.index->forget_object(digest));
                               return core_.index->learn_object(digest, record);
                             });
                           });
  }

  Result<void> check_mode(const std::string& path, const std::string& name) {
    FileStatus status;
    for (const milliseconds pause : {milliseconds(0), milliseconds(0), k_short_pause}) {
      LARDER_TRY(pace_.wait(pause));
      LARDER_TRY_ASSIGN(status, core_.disk.status(path));
      if (status.mode == k_sealed_mode) return {};
    }
    constexpr std::uint32_t k_write_bits = 0222;
    const std::string_view detail =
        (status.mode & k_write_bits) != 0 ? "can be written" : "has not the mode 0444";
    return accuse_and_mend(Defect::wrong_mode, name, std::string(detail), "repaired", [&]() -> Result<void> {
      LARDER_TRY_ASSIGN(const auto file, core_.disk.open(path));
      return file->seal();
    });
  }

  // The index ------------------------------------------------------------------

  Result<void> check_rows() {
    const std::string position = cursor_.position;
    const auto& all = core_.options.namespaces;
    // Namespaces before that of the position are done; one that is gone by now counts for none.
    auto first = std::find_if(all.begin(), all.end(), [&](const NamespaceConfig& each) {
      return position.starts_with(each.name + "/");
    });
    if (first == all.end()) first = all.begin();
    for (auto each = first; each != all.end(); ++each) {
      const std::string prefix = each->name + "/";
      std::string after = position.starts_with(prefix) ? position : std::string();
      for (bool more = true; more;) {
        std::vector<ArtifactKey> page;
        LARDER_TRY_ASSIGN(more, next_rows(prefix, after, page));
        for (const ArtifactKey& key : page) {
          LARDER_TRY(check_row(key));
          LARDER_TRY(reached(key.str()));
        }
        if (!page.empty()) after = page.back().str();
      }
    }
    return {};
  }

  Result<bool> next_rows(const std::string& prefix, const std::string& after,
                         std::vector<ArtifactKey>& page) {
    constexpr std::size_t k_page = 1024;
    bool more = false;
    LARDER_TRY(core_.index->scan_names(prefix, after, [&](std::string_view text, const NameRecord&) {
      Index::Step step;
      more = page.size() == k_page;
      if (more) step.kind = Index::Step::Kind::stop;
      auto key = ArtifactKey::parse(text);
      if (!more && key) page.push_back(std::move(*key));
      return step;
    }));
    return more;
  }

  Result<void> check_row(const ArtifactKey& key) {
    const auto status = core_.disk.status(layout::tree_path(key));
    if (status && status->type == FileType::file) return {};
    LARDER_TRY_ASSIGN(const Look look, look_twice_more(key));
    if (look.there || !look.row) return {};
    return accuse_and_mend(Defect::stale_row, key.str(), "in the index, and not in the tree", "dropped",
                           [&] { return core_.drop_stale_row(key); });
  }

  Result<void> check_records() {
    const auto start = Digest::from_hex(cursor_.position);
    std::string after = start ? std::string(start->raw()) : std::string();
    constexpr std::size_t k_page = 1024;
    for (bool more = true; more;) {
      std::vector<Digest> page;
      LARDER_TRY(core_.index->scan_objects(after, [&](const Digest& digest, const ObjectRecord&) {
        page.push_back(digest);
        return page.size() < k_page;
      }));
      more = page.size() == k_page;
      for (const Digest& digest : page) {
        LARDER_TRY(check_object_record(digest));
        LARDER_TRY(reached(digest.hex()));
      }
      if (!page.empty()) after = page.back().raw();
    }
    return {};
  }

  Result<void> check_object_record(const Digest& digest) {
    const std::string path = layout::object_path(digest, 0);
    for (const milliseconds pause : {milliseconds(0), k_short_pause, k_long_pause}) {
      LARDER_TRY(pace_.wait(pause));
      const auto status = core_.disk.status(path);
      if (status) return {};
      if (status.error().code() != Errc::not_found) return status.error();
      LARDER_TRY_ASSIGN(const auto record, core_.index->object(digest));
      if (!record) return {};
    }
    if (lost_.contains(digest.hex())) return {};  // told of with the name that has its bytes
    return accuse_and_mend(Defect::wrong_record, path, "the index knows it, and it is missing", "dropped",
                           [&] { return collect(digest); });
  }

  // Which inode was filed as what; for files the index knows nothing of, and only then.
  Result<void> learn_inodes() {
    if (inodes_) return {};
    StoreCore::ObjectsByInode inodes;
    LARDER_TRY_ASSIGN(const auto directories, sorted_entries(layout::k_objects));
    for (const DirectoryEntry& directory : directories) {
      if (directory.type != FileType::directory) continue;
      const std::string path = layout::k_objects + "/" + directory.name;
      LARDER_TRY_ASSIGN(const auto entries, sorted_entries(path));
      for (const DirectoryEntry& entry : entries) {
        LARDER_TRY(pace_.step());
        Digest digest;
        const auto status = core_.disk.status(path + "/" + entry.name);
        if (status && layout::parse_object_name(entry.name, digest)) inodes[status->inode] = digest;
      }
    }
    inodes_ = std::move(inodes);
    return {};
  }

  StoreCore& core_;
  const ScrubOptions& options_;
  const std::function<void(const api::VerifyEvent&)>& report_;
  ScrubPace pace_;
  ContentCheck content_;
  ScrubCursor cursor_;
  std::uint8_t phase_ = tree;
  std::uint64_t seed_ = 0;
  bool resumed_ = false;
  std::uint64_t total_bytes_ = 0;
  steady_clock::time_point reported_ = steady_clock::now();
  steady_clock::time_point remembered_ = steady_clock::now();
  std::unordered_set<std::string> unread_archives_;  // contents with several names, hashed under a plain one
  std::unordered_set<std::string> lost_;  // contents of which a name was told to have lost its object
  std::optional<StoreCore::ObjectsByInode> inodes_;
};

}  // namespace

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
  return Scrubber(*core_, options, report, std::move(stop)).run();
}

}  // namespace larder
