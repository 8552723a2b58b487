#include "server/store/checkout.hpp"

#include <sys/file.h>

#include <unordered_set>

#include "common/tree_rules.hpp"
#include "server/store/file_copy.hpp"
#include "server/store/layout.hpp"
#include "server/store/store.hpp"

namespace larder {
namespace {

const std::string k_mark(k_view_mark);
const std::string k_new = k_mark + ".new";  // a copy that grows

// Walks the tree, not the index: a name is there when its link is, a snapshot is a tree as well,
// and no more than one directory's names are held at a time.
class Checkout {
 public:
  Checkout(FileSystem& data, FileSystem& view, const CheckoutOptions& options,
           const std::function<void(const api::CheckoutEvent&)>& report, std::stop_token stop)
      : data_(data), view_(view), options_(options), report_(report), stop_(std::move(stop)) {}

  Result<api::CheckoutEvent> run() {
    LARDER_TRY_ASSIGN(const bool any, find_source());
    LARDER_TRY(take_directory());
    if (any) LARDER_TRY(walk(""));
    if (!any && options_.remove_extra) LARDER_TRY(remove_others("", {}));
    counts_.done = true;
    report_(counts_);
    return counts_;
  }

 private:
  using Names = std::unordered_set<std::string>;

  // False for a namespace that nothing was stored in yet.
  Result<bool> find_source() {
    source_ = options_.snapshot.empty()
                  ? layout::namespace_path(options_.name_space)
                  : layout::k_snapshots + "/" + options_.snapshot + "/" + options_.name_space;
    const auto status = data_.status(source_);
    if (status) return status->type == FileType::directory;
    if (status.error().code() != Errc::not_found) return status.error();
    if (options_.snapshot.empty()) return false;
    return Error(Errc::not_found,
                 "there is no " + options_.name_space + " in a snapshot '" + options_.snapshot + "'");
  }

  std::string mark_text() const {
    return "larder view 1\n" + options_.name_space +
           (options_.snapshot.empty() ? "" : "@" + options_.snapshot) + "\n";
  }

  // The mark tells a view from a directory of somebody's own, which must not be touched.
  Result<void> take_directory() {
    auto mark = view_.open(k_mark);
    if (!mark && mark.error().code() != Errc::not_found) return mark.error();
    LARDER_TRY_ASSIGN(const bool empty, holds_nothing());
    if (!mark) {
      if (!empty)
        return Error(Errc::conflict,
                     "the directory is not empty and no view that larder made; give another one");
      return make_mark();
    }
    mark_ = std::move(*mark);
    LARDER_TRY(lock_mark());
    if (!empty && !options_.update)
      return Error(Errc::conflict, "the directory is a view already; --update adds what it lacks");
    const auto leftover = view_.remove(k_new);
    if (!leftover && leftover.error().code() != Errc::not_found) return leftover.error();
    std::string text(4096, '\0');
    LARDER_TRY_ASSIGN(const std::size_t length, mark_->read_at(0, std::as_writable_bytes(std::span(text))));
    text.resize(length);
    if (text == mark_text()) return {};
    if (!empty)
      return Error(Errc::conflict,
                   "the directory is a view of something else; its " + k_mark + " says of what");
    LARDER_TRY(view_.remove(k_mark));  // of a checkout that failed at once
    return make_mark();
  }

  // But for what is ours, and what every file system has.
  Result<bool> holds_nothing() {
    bool nothing = true;
    LARDER_TRY(view_.list("", [&](const DirectoryEntry& entry) {
      nothing = entry.name == k_mark || entry.name == k_new || entry.name == "lost+found";
      return nothing;
    }));
    return nothing;
  }

  Result<void> make_mark() {
    LARDER_TRY_ASSIGN(mark_, view_.create(k_mark));
    LARDER_TRY(lock_mark());
    const std::string text = mark_text();
    LARDER_TRY(mark_->append(std::as_bytes(std::span(text))));
    return mark_->seal();
  }

  Result<void> lock_mark() {
    if (mark_->descriptor() < 0 || ::flock(mark_->descriptor(), LOCK_EX | LOCK_NB) == 0) return {};
    return Error(Errc::busy, "another checkout into this directory is running");
  }

  static std::string below(const std::string& directory, const std::string& name) {
    return directory.empty() ? name : directory + "/" + name;
  }

  static Result<std::vector<DirectoryEntry>> entries_of(FileSystem& disk, const std::string& directory) {
    std::vector<DirectoryEntry> entries;
    LARDER_TRY(disk.list(directory, [&](const DirectoryEntry& entry) {
      entries.push_back(entry);
      return true;
    }));
    return entries;
  }

  Result<void> walk(const std::string& directory) {
    auto entries = entries_of(data_, below(source_, directory));
    if (!entries && entries.error().code() == Errc::not_found) return {};  // its last name went meanwhile
    if (!entries) return entries.error();
    for (const DirectoryEntry& entry : *entries) {
      if (stop_.stop_requested())
        return Error(Errc::cancelled, "the checkout was stopped; --update goes on where it was");
      const std::string path = below(directory, entry.name);
      if (entry.type == FileType::directory) {
        LARDER_TRY_ASSIGN(const bool entered, make_directory(path));
        if (entered) LARDER_TRY(walk(path));
      } else if (entry.type == FileType::file) {
        LARDER_TRY(place(path));
      }
    }
    if (!options_.remove_extra) return {};
    Names names;
    for (DirectoryEntry& entry : *entries) names.insert(std::move(entry.name));
    return remove_others(directory, names);
  }

  Result<bool> make_directory(const std::string& path) {
    auto made = view_.make_directory(path);
    if (made) return true;
    if (made.error().code() != Errc::exists) return made.error();
    LARDER_TRY_ASSIGN(const FileStatus status, view_.status(path));
    if (status.type == FileType::directory) return true;
    if (!options_.remove_extra) {
      say(path, "differs", "is no directory in the view", counts_.failed);
      return false;
    }
    LARDER_TRY(remove_all(path));
    LARDER_TRY(view_.make_directory(path));
    return true;
  }

  Result<void> place(const std::string& path) {
    const auto file = data_.open(below(source_, path));
    if (!file && file.error().code() == Errc::not_found) return {};  // went meanwhile
    if (!file) {
      say(path, "failed", file.error().message(), counts_.failed);
      return {};
    }
    LARDER_TRY_ASSIGN(const FileStatus status, (*file)->status());
    constexpr std::uint32_t k_write_bits = 0222;
    if ((status.mode & k_write_bits) != 0) {
      say(path, "skipped", "is not sealed: nobody stored it through larderd", counts_.failed);
      return {};
    }
    auto placed = put(path, **file, status);
    if (!placed && placed.error().code() == Errc::exists) placed = meet_existing(path, **file, status);
    if (!placed) return placed;
    counts_.bytes += status.size;
    tick();
    return {};
  }

  // Errc::exists when the name is taken.
  Result<void> put(const std::string& path, File& file, const FileStatus& status) {
    if (options_.mode != CheckoutMode::link) return copy(path, file, status);
    const auto linked = view_.link_file(file, path);
    if (linked) {
      ++counts_.linked;
      return {};
    }
    if (linked.error().code() == Errc::too_many_links) {
      const auto copied = copy(path, file, status);
      if (copied) say(path, "copied", "its object has as many links as the file system allows");
      return copied;
    }
    if (linked.error().code() == Errc::not_supported)
      return Error(
          Errc::not_supported,
          "the directory and the data directory are not on one file system, or not below one mount (under "
          "systemd, one entry of ReadWritePaths), and hard links do not cross; take another directory, or "
          "--copy (" +
              linked.error().message() + ")");
    return linked;
  }

  Result<void> copy(const std::string& path, File& file, const FileStatus& status) {
    const bool reflink = options_.mode == CheckoutMode::reflink;
    if (view_.status(path)) return Error(Errc::exists, "cannot copy to " + path + ": it is there");
    auto copied = write_copy(file, status, reflink);
    if (copied) copied = view_.publish(k_new, path);
    if (!copied) {
      (void)view_.remove(k_new);
      return copied;
    }
    ++(reflink ? counts_.linked : counts_.copied);
    if (!reflink) counts_.copied_bytes += status.size;
    return {};
  }

  Result<void> write_copy(File& file, const FileStatus& status, bool reflink) {
    LARDER_TRY_ASSIGN(const auto fresh, view_.create(k_new));
    LARDER_TRY(reflink ? clone_content(file, *fresh) : copy_content(file, *fresh));
    LARDER_TRY(set_modified(*fresh, status.modified));
    return fresh->seal();
  }

  // A name that the view has already: ours, or somebody else's.
  Result<void> meet_existing(const std::string& path, File& file, const FileStatus& wanted) {
    LARDER_TRY_ASSIGN(const FileStatus there, view_.status(path));
    constexpr std::uint32_t k_write_bits = 0222;
    const bool is_link = there.inode == wanted.inode && there.changed == wanted.changed;
    const bool is_copy = there.modified == wanted.modified && (there.mode & k_write_bits) == 0;
    if (there.type == FileType::file && there.size == wanted.size && (is_link || is_copy)) {
      ++counts_.present;
      return {};
    }
    if (!options_.remove_extra) {
      say(path, "differs", "the view has something else there; --delete replaces it", counts_.failed);
      return {};
    }
    LARDER_TRY(remove_all(path));
    return put(path, file, wanted);
  }

  Result<void> remove_others(const std::string& directory, const Names& wanted) {
    LARDER_TRY_ASSIGN(const auto entries, entries_of(view_, directory));
    for (const DirectoryEntry& entry : entries) {
      const bool own = directory.empty() && (entry.name == k_mark || entry.name == "lost+found");
      if (!own && !wanted.contains(entry.name)) LARDER_TRY(remove_all(below(directory, entry.name)));
    }
    return {};
  }

  Result<void> remove_all(const std::string& path) {
    LARDER_TRY_ASSIGN(const FileStatus status, view_.status(path));
    if (status.type != FileType::directory) {
      LARDER_TRY(view_.remove(path));
      ++counts_.removed;
      return {};
    }
    LARDER_TRY_ASSIGN(const auto entries, entries_of(view_, path));
    for (const DirectoryEntry& entry : entries) LARDER_TRY(remove_all(below(path, entry.name)));
    return view_.remove_directory(path);
  }

  void say(const std::string& path, const std::string& outcome, const std::string& reason) {
    api::CheckoutEvent event = counts_;
    event.path = path;
    event.outcome = outcome;
    event.reason = reason;
    report_(event);
  }
  void say(const std::string& path, const std::string& outcome, const std::string& reason,
           std::uint64_t& counter) {
    ++counter;
    say(path, outcome, reason);
  }

  void tick() {
    constexpr std::uint64_t k_files_between_reports = 1024;
    if (++files_ % k_files_between_reports == 0) report_(counts_);
  }

  FileSystem& data_;
  FileSystem& view_;
  const CheckoutOptions& options_;
  const std::function<void(const api::CheckoutEvent&)>& report_;
  std::stop_token stop_;
  std::string source_;
  std::unique_ptr<File> mark_;  // locked while we work
  api::CheckoutEvent counts_;
  std::uint64_t files_ = 0;
};

}  // namespace

Result<api::CheckoutEvent> Store::checkout(FileSystem& view, const CheckoutOptions& options,
                                           const std::function<void(const api::CheckoutEvent&)>& report,
                                           std::stop_token stop) {
  if (!reconciled())
    return Error(Errc::busy,
                 "after an unclean stop the tree is being checked; try again once `larder stat` says "
                 "no more of it");
  return Checkout(core_->disk, view, options, report, std::move(stop)).run();
}

}  // namespace larder
