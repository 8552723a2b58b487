// ScrubPass, the part that looks at the trash: a row for every file, a file for every
// row, and of the same size. What the files hold is checked with their objects.
#include <charconv>

#include "server/store/layout.hpp"
#include "server/store/scrub_pass.hpp"

namespace larder {
namespace {

struct PlaceInTrash {
  std::uint64_t generation = 0;
  ArtifactKey key;
};

// "trash/<generation>/<namespace>/<path>"
std::optional<PlaceInTrash> parse_place(std::string_view path) {
  if (!path.starts_with(layout::k_trash + "/")) return std::nullopt;
  path.remove_prefix(layout::k_trash.size() + 1);
  std::uint64_t generation = 0;
  const char* const last = path.data() + path.size();
  const auto [end, failure] = std::from_chars(path.data(), last, generation);
  if (failure != std::errc() || end == last || *end != '/') return std::nullopt;
  auto key = ArtifactKey::parse(path.substr(static_cast<std::size_t>(end - path.data()) + 1));
  if (!key) return std::nullopt;
  return PlaceInTrash{generation, std::move(*key)};
}

}  // namespace

Result<void> ScrubPass::check_trash_file(const std::string& path, FileType type) {
  const auto place = parse_place(path);
  if (place && type == FileType::file) return check_kept(place->generation, place->key);
  accuse(Defect::foreign, path, "is nothing that was removed", {});
  return {};
}

Result<void> ScrubPass::check_trash_rows() {
  constexpr std::size_t k_page = 1024;
  const auto start = parse_place(cursor_.position);
  std::uint64_t first = start ? start->generation : 0;
  std::string after = start ? start->key.str() : std::string();
  for (bool more = true; more;) {
    std::vector<PlaceInTrash> page;
    LARDER_TRY(core_.index->scan_trash(
        first, after, [&](std::uint64_t generation, std::string_view text, const TrashRecord&) {
          auto key = ArtifactKey::parse(text);
          if (key) page.push_back({generation, std::move(*key)});
          return page.size() < k_page;
        }));
    more = page.size() == k_page;
    for (const PlaceInTrash& each : page) {
      const std::string path = layout::trash_path(each.generation, each.key);
      if (!core_.disk.status(path))
        LARDER_TRY(check_kept(each.generation, each.key));  // files were looked at
      LARDER_TRY(reached(path));
    }
    if (more) first = page.back().generation;
    if (more) after = page.back().key.str();
  }
  return {};
}

Result<void> ScrubPass::check_kept(std::uint64_t generation, const ArtifactKey& key) {
  const std::string path = layout::trash_path(generation, key);
  std::optional<TrashRecord> row;
  std::optional<FileStatus> file;
  {
    // Who moves it in or out holds this lock until the index is written.
    const auto lock = core_.key_locks.lock(key);
    LARDER_TRY_ASSIGN(row, core_.index->trash(generation, key));
    const auto status = core_.disk.status(path);
    if (!status && status.error().code() != Errc::not_found) return status.error();
    if (status && status->type == FileType::file) file = *status;
  }
  if (!row && !file) return {};
  if (!file)
    return accuse_and_mend(Defect::stale_row, path, "in the index, and not in the trash", "dropped",
                           [&] { return core_.index->forget_trash(generation, key); });
  if (!row) return check_unknown_kept(generation, key, *file);
  if (file->size == row->name.size) return {};
  const std::string detail =
      "its size is " + std::to_string(file->size) + " bytes, removed were " + std::to_string(row->name.size);
  return accuse_and_mend(Defect::wrong_row, path, detail, "quarantined", [&] {
    return core_.set_kept_aside(path, key, row->name.digest, "verify: " + detail);
  });
}

// It can be brought back when it has a row, and for that its object has to be known.
Result<void> ScrubPass::check_unknown_kept(std::uint64_t generation, const ArtifactKey& key,
                                           const FileStatus& file) {
  const std::string path = layout::trash_path(generation, key);
  LARDER_TRY(learn_inodes());
  const auto object = inodes_->find(file.inode);
  if (object == inodes_->end() && file.size != 0) {
    accuse(Defect::unknown_file, path, "in the trash, and neither in the index nor among the objects", {});
    return {};
  }
  TrashRecord record;
  if (object != inodes_->end()) record.name.digest = object->second;
  record.name.size = file.size;
  record.name.stored = file.modified;
  record.name.uploader = "larderd";
  record.removed = core_.clock.now();
  record.actor = "larderd";
  record.why = "found in the trash";
  return accuse_and_mend(Defect::unknown_file, path, "in the trash, and not in the index", "entered",
                         [&] { return core_.index->learn_trash(generation, key, record); });
}

}  // namespace larder
