// Store::adopt: an existing directory is taken in by hard links, without a copy.
// Its files become objects as they are and lose their write permission; where
// the content is known already, only the name is new and the file stays alone.
// May be cut off anywhere and run again: what is there already is passed by.
#include <algorithm>

#include "common/archive_check.hpp"
#include "common/tree_rules.hpp"
#include "server/store/store.hpp"

namespace larder {
namespace {

EntryType to_entry_type(FileType type) {
  switch (type) {
    case FileType::file: return EntryType::file;
    case FileType::directory: return EntryType::directory;
    case FileType::symlink: return EntryType::symlink;
    case FileType::other: return EntryType::other;
  }
  return EntryType::other;
}

class Adoption {
 public:
  Adoption(StoreCore& core, FileSystem& source, const Store::AdoptOptions& options,
           const std::function<void(const api::AdoptEvent&)>& report, std::stop_token stop)
      : core_(core), source_(source), options_(options), report_(report), stop_(std::move(stop)) {}

  Result<api::AdoptEvent> run() {
    const NamespaceConfig* const name_space = core_.find_namespace(options_.name_space);
    if (name_space == nullptr) return Error(Errc::not_found, "there is no namespace " + options_.name_space);
    tree_.kind = name_space->kind;
    LARDER_TRY_ASSIGN(const bool stamps, has_done_stamps(""));
    tree_.done_stamps = stamps ? DoneStamps::some : DoneStamps::none;
    LARDER_TRY(walk(""));
    counts_.done = true;
    report_(counts_);
    return counts_;
  }

 private:
  Result<std::vector<DirectoryEntry>> entries_of(const std::string& directory) {
    std::vector<DirectoryEntry> entries;
    LARDER_TRY(source_.list(directory, [&](const DirectoryEntry& entry) {
      entries.push_back(entry);
      return true;
    }));
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
  }

  Result<bool> has_done_stamps(const std::string& directory) {
    if (tree_.kind != NamespaceKind::downloads) return false;
    LARDER_TRY_ASSIGN(const auto entries, entries_of(directory));
    for (const DirectoryEntry& entry : entries) {
      if (entry.type == FileType::file && is_done_stamp(entry.name)) return true;
      if (entry.type != FileType::directory) continue;
      const std::string path = below(directory, entry.name);
      EntryFacts facts;
      facts.type = EntryType::directory;
      if (!judge(tree_, path, facts).take()) continue;
      LARDER_TRY_ASSIGN(const bool found, has_done_stamps(path));
      if (found) return true;
    }
    return false;
  }

  static std::string below(const std::string& directory, const std::string& name) {
    return directory.empty() ? name : directory + "/" + name;
  }

  Result<void> walk(const std::string& directory) {
    const auto entries = entries_of(directory);
    if (!entries) {
      leave_out(directory, "failed", entries.error().message(), counts_.failed);
      return {};
    }
    std::vector<std::string> stamps;
    for (const DirectoryEntry& entry : *entries) {
      if (is_done_stamp(entry.name)) stamps.push_back(entry.name);
    }
    std::string corrupt_group;
    for (const DirectoryEntry& entry : *entries) {
      if (stop_.stop_requested())
        return Error(Errc::cancelled, "adopting was stopped; run it again, and it goes on where it was");
      const std::string path = below(directory, entry.name);
      EntryFacts facts;
      facts.type = to_entry_type(entry.type);
      const auto status = source_.status(path);
      if (!status) {
        leave_out(path, "failed", status.error().message(), counts_.failed);
        continue;
      }
      facts.size = status->size;
      if (std::binary_search(stamps.begin(), stamps.end(), entry.name + ".done"))
        facts.own_stamp = DoneStamps::some;
      const Verdict verdict = judge(tree_, path, facts);
      if (!verdict.take()) {
        leave_out(path, "skipped", std::string(sentence_of(verdict.reason)), counts_.skipped);
        continue;
      }
      if (entry.type == FileType::directory) {
        LARDER_TRY(walk(path));
        continue;
      }
      // Sorted, an archive comes right before its .siginfo and .sig.
      const std::string group(group_key(tree_.kind, path));
      if (group == corrupt_group) {
        leave_out(path, "corrupt", "belongs to an archive that is corrupt", counts_.failed);
        continue;
      }
      LARDER_TRY_ASSIGN(const Fate fate, take(path, *status));
      if (fate == Fate::corrupt) corrupt_group = group;
    }
    return {};
  }

  enum class Fate { taken, left_out, corrupt };

  // Only what makes going on senseless is an error: no space, no such file system.
  Result<Fate> take(const std::string& path, const FileStatus& status) {
    const std::vector<std::string> names = published_names(tree_.kind, path);
    const auto first = ArtifactKey::make(options_.name_space, names.front());
    if (!first) {
      leave_out(path, "skipped", first.error().message(), counts_.skipped);
      return Fate::left_out;
    }
    LARDER_TRY_ASSIGN(const auto known, core_.find(*first));
    if (known && is_stored(*known, status)) {
      ++counts_.present;
      return publish_names(path, names, known->digest, known->size, nullptr);
    }
    auto file = source_.open(path);
    if (!file) {
      leave_out(path, "failed", file.error().message(), counts_.failed);
      return Fate::left_out;
    }
    LARDER_TRY_ASSIGN(const FileStatus before, (*file)->status());
    if (options_.verify && is_checkable_archive(path) && (*file)->descriptor() >= 0) {
      const auto sound =
          check_archive((*file)->descriptor(), path, [this] { return stop_.stop_requested(); });
      if (!sound && sound.error().code() == Errc::cancelled) return sound.error();
      if (!sound) {
        leave_out(path, "corrupt", sound.error().message(), counts_.failed);
        return Fate::corrupt;
      }
    }
    LARDER_TRY_ASSIGN(const Digest digest, core_.hash(**file));
    LARDER_TRY_ASSIGN(const FileStatus after, (*file)->status());
    if (after.size != status.size || after.changed != before.changed) {
      leave_out(path, "skipped", "is being written: it changed while it was read", counts_.skipped);
      return Fate::left_out;
    }
    return publish_names(path, names, digest, status.size, file->get());
  }

  // The file is our object already, or a name of the same size: not read again.
  static bool is_stored(const NameRecord& row, const FileStatus& status) {
    constexpr std::uint32_t k_write_bits = 0222;
    return row.size == status.size && status.links > 1 && (status.mode & k_write_bits) == 0;
  }

  // `file` is null when only further names of a stored content are wanted.
  Result<Fate> publish_names(const std::string& path, const std::vector<std::string>& names,
                             const Digest& digest, std::uint64_t size, File* file) {
    StoreCore::Content content;
    content.digest = digest;
    content.size = size;
    content.place = [&](const std::string& object) -> Result<void> {
      if (file == nullptr) return Error(Errc::busy, "its object went away");
      LARDER_TRY(file->seal());
      LARDER_TRY(core_.sync_file(*file));
      return core_.disk.link_file(*file, object);
    };
    StoreCore::Origin origin;
    origin.actor = options_.actor;
    origin.action = LedgerAction::adopt;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto key = ArtifactKey::make(options_.name_space, names[i]);
      if (!key) continue;
      const auto receipt = core_.publish(*key, content, origin);
      const bool is_first = i == 0 && file != nullptr;
      if (!receipt) {
        LARDER_TRY_ASSIGN(const Fate fate, refused(path, receipt.error()));
        return fate;
      }
      if (receipt->outcome == Receipt::Outcome::conflict && i == 0)
        leave_out(path, "conflict", "the store has other bytes of that name: " + receipt->entry.digest.hex(),
                  counts_.failed);
      if (!is_first) continue;
      if (receipt->outcome == Receipt::Outcome::present) ++counts_.present;
      if (receipt->outcome == Receipt::Outcome::created || receipt->outcome == Receipt::Outcome::replaced) {
        ++counts_.adopted;
        counts_.bytes += size;
      }
    }
    tick();
    return Fate::taken;
  }

  Result<Fate> refused(const std::string& path, const Error& error) {
    if (error.code() == Errc::not_supported)
      return Error(Errc::not_supported,
                   "cannot adopt: the directory and the data directory are not below one mount, and hard "
                   "links do not cross (each path of ReadWritePaths= in a systemd unit is a mount; " +
                       error.message() + ")");
    if (error.code() == Errc::no_space) return error;
    if (error.code() == Errc::forbidden)
      leave_out(path, "failed",
                "may not be sealed and linked: the daemon's user has to own it, and its systemd unit to let "
                "it write there (" +
                    error.message() + ")",
                counts_.failed);
    else
      leave_out(path, "failed", error.message(), counts_.failed);
    return Fate::left_out;
  }

  void leave_out(const std::string& path, const std::string& outcome, const std::string& reason,
                 std::uint64_t& counter) {
    ++counter;
    api::AdoptEvent event = counts_;
    event.path = path;
    event.outcome = outcome;
    event.reason = reason;
    report_(event);
  }

  void tick() {
    constexpr std::uint64_t k_files_between_reports = 256;
    if (++files_ % k_files_between_reports == 0) report_(counts_);
  }

  StoreCore& core_;
  FileSystem& source_;
  const Store::AdoptOptions& options_;
  const std::function<void(const api::AdoptEvent&)>& report_;
  std::stop_token stop_;
  TreeTraits tree_;
  api::AdoptEvent counts_;
  std::uint64_t files_ = 0;
};

}  // namespace

Result<api::AdoptEvent> Store::adopt(FileSystem& source, const AdoptOptions& options,
                                     const std::function<void(const api::AdoptEvent&)>& report,
                                     std::stop_token stop) {
  return Adoption(*core_, source, options, report, std::move(stop)).run();
}

Result<void> check_apart(const std::filesystem::path& directory, const std::filesystem::path& data) {
  std::error_code failure;
  const auto source = std::filesystem::canonical(directory, failure);
  if (failure) return posix_error("adopt", directory.string(), failure.value());
  const auto store = std::filesystem::weakly_canonical(data, failure);
  if (failure) return posix_error("examine", data.string(), failure.value());
  const auto starts_with = [](const std::filesystem::path& path, const std::filesystem::path& prefix) {
    return std::mismatch(prefix.begin(), prefix.end(), path.begin(), path.end()).first == prefix.end();
  };
  if (!starts_with(source, store) && !starts_with(store, source)) return {};
  return Error(Errc::invalid_argument, "cannot adopt " + directory.string() + ": it and the data directory " +
                                           data.string() + " lie in one another");
}

}  // namespace larder
