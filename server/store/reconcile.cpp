// Store::reconcile: tree and index are brought together after an unclean stop.
// The tree is right. Objects first (which inode is which content), then every
// name of the tree, then every row of the index.
#include <charconv>
#include <chrono>
#include <thread>
#include <unordered_map>

#include "server/store/layout.hpp"
#include "server/store/store.hpp"

namespace larder {
namespace {

class Reconciler {
 public:
  Reconciler(StoreCore& core, std::stop_token stop) : core_(core), stop_(std::move(stop)) {}

  Result<Store::ReconcileReport> run() {
    LARDER_TRY(learn_objects());
    LARDER_TRY(learn_condemned());
    LARDER_TRY(walk(layout::k_tree, &Reconciler::check_name));
    for (const std::string& each : core_.snapshots.all())
      LARDER_TRY(walk(layout::k_snapshots + "/" + each, &Reconciler::check_name));
    LARDER_TRY(drop_stale_rows());
    LARDER_TRY(forget_lost_objects());
    LARDER_TRY(forget_lost_trash());
    // What prune removed and what is quarantined takes space as well.
    LARDER_TRY(walk(layout::k_trash, &Reconciler::check_trash));
    LARDER_TRY(walk(layout::k_quarantine, &Reconciler::check_quarantined));
    return report_;
  }

 private:
  static constexpr std::size_t k_page = 1024;  // rows looked at between two looks at the disk

  // Gives requests the disk and the core between steps.
  Result<void> pace() {
    if (stop_.stop_requested()) return Error(Errc::cancelled, "the comparison of tree and index was stopped");
    constexpr std::uint64_t k_steps_between_rests = 256;
    if (++steps_ % k_steps_between_rests == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {};
  }

  Result<std::vector<DirectoryEntry>> entries_of(const std::string& directory) {
    std::vector<DirectoryEntry> entries;
    LARDER_TRY(core_.disk.list(directory, [&](const DirectoryEntry& entry) {
      entries.push_back(entry);
      return true;
    }));
    return entries;
  }

  // One file that cannot be read, as opposed to an index or a disk that cannot be written.
  static bool is_of_the_file(const Error& error) {
    return error.code() == Errc::forbidden || error.code() == Errc::io || error.code() == Errc::not_found;
  }

  Result<void> learn_objects() {
    LARDER_TRY_ASSIGN(const auto directories, entries_of(layout::k_objects));
    for (const DirectoryEntry& directory : directories) {
      if (directory.type != FileType::directory) continue;
      const std::string path = layout::k_objects + "/" + directory.name;
      LARDER_TRY_ASSIGN(const auto entries, entries_of(path));
      for (const DirectoryEntry& entry : entries) LARDER_TRY(learn_object(path, entry));
    }
    return {};
  }

  Result<void> learn_object(const std::string& directory, const DirectoryEntry& entry) {
    LARDER_TRY(pace());
    Digest digest;
    if (entry.type != FileType::file || !layout::parse_object_name(entry.name, digest)) return {};
    LARDER_TRY_ASSIGN(const std::string path, core_.objects.close_gap(digest, directory + "/" + entry.name));
    const auto status = core_.disk.status(path);
    if (!status) return {};  // collected meanwhile
    if (status->links == 1) {
      bool gone = false;
      LARDER_TRY(core_.objects.collect(digest, [&] {
        gone = true;
        (void)core_.index->forget_object(digest);
      }));
      if (gone) ++report_.orphans;
      if (gone) return {};
    }
    objects_[status->inode] = digest;
    return {};
  }

  // Objects that were found corrupt while names may still lead to them.
  Result<void> learn_condemned() {
    LARDER_TRY_ASSIGN(const auto generations, entries_of(layout::k_quarantine));
    for (const DirectoryEntry& generation : generations) {
      const std::string path =
          layout::k_quarantine + "/" + generation.name + "/" + std::string(layout::k_condemned);
      const auto entries = entries_of(path);
      if (!entries) continue;
      for (const DirectoryEntry& entry : *entries) {
        Digest digest;
        const auto status = core_.disk.status(path + "/" + entry.name);
        // One that is filed again was misfiled only.
        const bool filed = status && objects_.contains(status->inode);
        if (status && !filed && layout::parse_object_name(entry.name, digest))
          condemned_[status->inode] = digest;
      }
    }
    return {};
  }

  using Check = Result<void> (Reconciler::*)(const std::string& path);

  Result<void> walk(const std::string& directory, Check check) {
    const auto entries = entries_of(directory);
    if (!entries && entries.error().code() == Errc::not_found) return {};  // removed meanwhile
    if (!entries && is_of_the_file(entries.error())) {
      ++report_.unreadable;
      return {};
    }
    if (!entries) return entries.error();
    for (const DirectoryEntry& entry : *entries) {
      const std::string path = directory + "/" + entry.name;
      if (entry.type == FileType::directory) LARDER_TRY(walk(path, check));
      if (entry.type == FileType::file) LARDER_TRY((this->*check)(path));
    }
    return {};
  }

  Result<void> check_name(const std::string& path) {
    LARDER_TRY(pace());
    const auto key = layout::parse_tree_path(path);
    if (!key || core_.find_namespace(key->name_space()) == nullptr) return {};
    const auto status = core_.disk.status(path);
    if (!status) return {};
    ++report_.names;
    LARDER_TRY_ASSIGN(const std::optional<NameRecord> row, core_.index->name(*key));
    const auto condemned = condemned_.find(status->inode);
    if (condemned != condemned_.end() && (!row || row->digest == condemned->second)) {
      LARDER_TRY(core_.set_aside_inode(*key, status->inode, "its object was found corrupt"));
      ++report_.damaged;
      return {};
    }
    const auto known = objects_.find(status->inode);
    const bool agree = row && row->size == status->size &&
                       (known == objects_.end() ? status->size == 0 : known->second == row->digest);
    if (agree) return learn_content(known, status->size, *key);
    const auto entered = core_.enter_from_tree(*key, objects_);
    if (!entered && is_of_the_file(entered.error())) {  // it is a miss; the others matter, too
      ++report_.unreadable;
      return {};
    }
    if (!entered) return entered.error();
    if (*entered && *entered != row) ++report_.found;
    if (!*entered && !core_.disk.status(path)) ++report_.damaged;
    return {};
  }

  // trash/<generation>/<namespace>/…
  Result<void> check_kept(const std::string& path) {
    LARDER_TRY(pace());
    const auto first = path.find('/');
    const auto second = path.find('/', first + 1);
    const auto key = ArtifactKey::parse(std::string_view(path).substr(second + 1));
    if (!key || core_.find_namespace(key->name_space()) == nullptr) return {};
    const auto status = core_.disk.status(path);
    if (!status) return {};
    const auto condemned = condemned_.find(status->inode);
    if (condemned != condemned_.end()) {
      const auto aside = core_.set_kept_aside(path, *key, condemned->second, "its object was found corrupt");
      return !aside && aside.error().code() == Errc::not_found ? Result<void>() : aside;  // it was emptied
    }
    return learn_content(objects_.find(status->inode), status->size, *key);
  }

  // The index may have lost what it knew of the trash: what is there can be brought back all the same.
  Result<void> check_trash(const std::string& path) {
    LARDER_TRY(check_kept(path));
    const auto first = path.find('/') + 1;
    const auto second = path.find('/', first);
    std::uint64_t generation = 0;
    const auto parsed = std::from_chars(path.data() + first, path.data() + second, generation);
    const auto key = ArtifactKey::parse(std::string_view(path).substr(second + 1));
    if (parsed.ec != std::errc() || parsed.ptr != path.data() + second || !key) return {};
    LARDER_TRY_ASSIGN(const auto row, core_.index->trash(generation, *key));
    const auto status = core_.disk.status(path);
    if (row || !status) return {};
    const auto known = objects_.find(status->inode);
    if (known == objects_.end() && status->size != 0) return {};
    TrashRecord record;
    if (known != objects_.end()) record.name.digest = known->second;
    record.name.size = status->size;
    record.name.stored = status->modified;
    record.name.uploader = "larderd";
    record.removed = core_.clock.now();
    record.actor = "larderd";
    record.why = "found in the trash";
    return core_.index->learn_trash(generation, *key, record);
  }

  // Archives that cannot be read, and the like: they take space, too.
  Result<void> check_quarantined(const std::string& path) {
    const auto status = core_.disk.status(path);
    if (!status || condemned_.contains(status->inode)) return pace();
    return check_kept(path);
  }

  Result<void> learn_content(StoreCore::ObjectsByInode::const_iterator known, std::uint64_t size,
                             const ArtifactKey& key) {
    if (known == objects_.end()) return {};
    LARDER_TRY_ASSIGN(const auto object, core_.index->object(known->second));
    if (object) return {};
    ObjectRecord record;
    record.size = size;
    record.charged_to = namespace_of(key.name_space());
    return core_.objects.while_stored(known->second, [&]() -> Result<void> {
      // Set aside since it was learned, or gone with the last of the trash that led to it.
      if (!core_.objects.holds(known->second, known->first)) return {};
      return core_.index->learn_object(known->second, record);
    });
  }

  Result<void> drop_stale_rows() {
    for (const std::string& space : core_.space_names()) {
      const std::string prefix = space + "/";
      std::string after;
      bool more = true;
      while (more) {
        std::vector<ArtifactKey> page;
        LARDER_TRY_ASSIGN(more, next_page(prefix, after, page));
        for (const ArtifactKey& key : page) LARDER_TRY(check_row(key));
        if (!page.empty()) after = page.back().str();
      }
    }
    return {};
  }

  // Records of objects that are gone: a crash came between the two.
  Result<void> forget_lost_objects() {
    std::string after;
    for (bool more = true; more;) {
      std::vector<Digest> page;
      LARDER_TRY(core_.index->scan_objects(after, [&](const Digest& digest, const ObjectRecord&) {
        page.push_back(digest);
        return page.size() < k_page;
      }));
      for (const Digest& digest : page) {
        LARDER_TRY(pace());
        if (!core_.disk.status(layout::object_path(digest, 0))) core_.collect(digest);
      }
      more = page.size() == k_page;
      if (more) after = page.back().raw();
    }
    return {};
  }

  // Rows of the trash whose files are gone, likewise.
  Result<void> forget_lost_trash() {
    std::uint64_t first = 0;
    std::string after;
    for (bool more = true; more;) {
      std::vector<std::pair<std::uint64_t, std::string>> page;
      LARDER_TRY(core_.index->scan_trash(
          first, after, [&](std::uint64_t generation, std::string_view key, const TrashRecord&) {
            page.emplace_back(generation, key);
            return page.size() < k_page;
          }));
      for (const auto& [generation, text] : page) {
        LARDER_TRY(pace());
        const auto key = ArtifactKey::parse(text);
        if (key && !core_.disk.status(layout::trash_path(generation, *key)))
          LARDER_TRY(core_.index->forget_trash(generation, *key));
      }
      more = page.size() == k_page;
      if (more) std::tie(first, after) = page.back();
    }
    return {};
  }

  Result<bool> next_page(const std::string& prefix, const std::string& after,
                         std::vector<ArtifactKey>& page) {
    bool more = false;
    LARDER_TRY(core_.index->scan_names(prefix, after, [&](std::string_view text, const NameRecord&) {
      Index::Step step;
      if (page.size() == k_page) {
        more = true;
        step.kind = Index::Step::Kind::stop;
        return step;
      }
      auto key = ArtifactKey::parse(text);
      if (key) page.push_back(std::move(*key));
      return step;
    }));
    return more;
  }

  Result<void> check_row(const ArtifactKey& key) {
    LARDER_TRY(pace());
    const auto status = core_.disk.status(layout::tree_path(key));
    if (status && status->type == FileType::file) return {};
    ++report_.vanished;
    return core_.drop_stale_row(key);
  }

  StoreCore& core_;
  std::stop_token stop_;
  StoreCore::ObjectsByInode objects_;
  StoreCore::ObjectsByInode condemned_;
  Store::ReconcileReport report_;
  std::uint64_t steps_ = 0;
};

}  // namespace

Result<Store::ReconcileReport> Store::reconcile(std::stop_token stop) {
  const std::uint64_t distrusted = core_->distrusted;
  LARDER_TRY_ASSIGN(const ReconcileReport report, Reconciler(*core_, std::move(stop)).run());
  // What is trusted from now on may have been linked by who did not live to sync it.
  if (core_->options.durability != Durability::none) LARDER_TRY(core_->disk.sync_all());
  core_->trust_index(distrusted);  // or it goes on: what was walked may have changed
  return report;
}

}  // namespace larder
