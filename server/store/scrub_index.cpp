// ScrubPass, the part that looks from the index: is there a file for every row, and an
// object for every record?
#include <algorithm>

#include "server/store/layout.hpp"
#include "server/store/scrub_pass.hpp"

namespace larder {
namespace {

constexpr std::chrono::milliseconds k_short_pause(20);
constexpr std::chrono::milliseconds k_long_pause(200);

}  // namespace

using std::chrono::milliseconds;

Result<void> ScrubPass::check_rows() {
  const std::string position = cursor_.position;
  const std::vector<std::string> all = core_.space_names();
  // Those before that of the position are done; one that is gone by now counts for none.
  auto first = std::find_if(all.begin(), all.end(),
                            [&](const std::string& each) { return position.starts_with(each + "/"); });
  if (first == all.end()) first = all.begin();
  for (auto each = first; each != all.end(); ++each) {
    const std::string prefix = *each + "/";
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

Result<bool> ScrubPass::next_rows(const std::string& prefix, const std::string& after,
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

Result<void> ScrubPass::check_row(const ArtifactKey& key) {
  const auto status = core_.disk.status(layout::tree_path(key));
  if (status && status->type == FileType::file) return {};
  LARDER_TRY_ASSIGN(const Look look, look_twice_more(key));
  if (look.there || !look.row || is_of_removed_snapshot(key)) return {};
  return accuse_and_mend(Defect::stale_row, key.str(), "in the index, and not in the tree", "dropped",
                         [&] { return core_.drop_stale_row(key); });
}

Result<void> ScrubPass::check_records() {
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

Result<void> ScrubPass::check_object_record(const Digest& digest) {
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
Result<void> ScrubPass::learn_inodes() {
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

}  // namespace larder
