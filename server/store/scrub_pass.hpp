// One pass over the store, or the part of one that a run gets to; see scrub.cpp for
// what it does in which order. Used by Store::scrub() alone, from one thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <vector>

#include "server/store/content_check.hpp"
#include "server/store/scrub.hpp"
#include "server/store/scrub_pace.hpp"
#include "server/store/store_core.hpp"

namespace larder {

class ScrubPass {
 public:
  ScrubPass(StoreCore& core, const ScrubOptions& options,
            const std::function<void(const api::VerifyEvent&)>& report, std::stop_token stop);

  Result<api::VerifyEvent> run();

 private:
  enum Phase : std::uint8_t { tree, objects, rows, records, trash, trash_rows, charges };

  // The pass: scrub.cpp
  bool is_background() const { return options_.cursor == k_background_cursor; }
  Result<void> begin();
  Result<void> run_phase();
  Result<void> settle_charges();
  void show();
  Result<void> remember(bool complete);
  Result<void> reached(const std::string& position);

  // Findings: scrub.cpp
  api::VerifyEvent counts() const;
  void accuse(Defect defect, const std::string& path, const std::string& detail, std::string_view action);
  Result<void> accuse_and_mend(Defect defect, const std::string& path, const std::string& detail,
                               std::string_view action, const std::function<Result<void>()>& mend);
  Result<void> mend_and_accuse(Defect defect, const std::string& path, const std::string& detail,
                               std::string_view action, const std::function<Result<void>()>& mend);
  // As opposed to an index or a disk that cannot be written.
  static bool is_of_the_file(const Error& error) {
    return error.code() == Errc::forbidden || error.code() == Errc::io || error.code() == Errc::not_found ||
           error.code() == Errc::busy || error.code() == Errc::conflict;
  }
  Result<void> condemn(const Digest& digest, std::uint64_t inode, const ArtifactKey* found_by, Defect defect,
                       const std::string& detail);
  Result<std::vector<DirectoryEntry>> sorted_entries(const std::string& directory);

  // The tree and the snapshots: scrub_tree.cpp
  struct Look {
    std::optional<NameRecord> row;
    FileStatus status;
    bool there = false;  // a file of this name
    bool fits = false;   // and it is the one the row tells of, as far as can be told without reading it
    bool first = true;   // of the inodes that its content has; marks of what was read tell of this one
  };
  // Every file below `directory`, from behind `after`, to `check`.
  using CheckFile = Result<void> (ScrubPass::*)(const std::string& path, FileType type);
  Result<void> walk_tree(const std::string& directory, const std::string& after, CheckFile check);
  Result<void> walk_names();
  bool is_known_space(const std::string& directory) const;
  bool is_of_removed_snapshot(const ArtifactKey& key) const;
  Result<void> check_entry(const std::string& path, FileType type);
  Result<Look> look_at(const ArtifactKey& key);
  Result<Look> look_twice_more(const ArtifactKey& key);
  Result<void> check_name(const ArtifactKey& key);
  Result<void> check_unknown_file(const ArtifactKey& key);
  Result<void> check_misfit(const ArtifactKey& key, const NameRecord& row, const FileStatus& status);
  Result<void> check_apart(const ArtifactKey& key, const NameRecord& row, const FileStatus& status);
  Result<void> set_aside(const ArtifactKey& key, std::uint64_t inode, const std::string& why);

  // Contents: scrub_contents.cpp
  bool is_picked(const Digest& digest) const;
  bool is_due(const Digest& digest, const std::optional<ObjectRecord>& record) const;
  void count(const ContentCheck::Finding& finding);
  Result<void> note_verified(const Digest& digest);
  Result<void> check_content(const ArtifactKey& key, const Look& look);
  Result<void> check_archive_of(const ArtifactKey& key, const NameRecord& row, const FileStatus& status);
  Result<void> unreadable_object(const Digest& digest, std::uint64_t inode, const ArtifactKey* key,
                                 const std::string& path, const std::string& detail);
  Result<void> check_record(const Digest& digest, const FileStatus& status, const std::string& name_space);

  // The objects: scrub_objects.cpp
  Result<void> walk_objects();
  Result<void> check_object_entry(const std::string& directory, const std::string& path,
                                  const DirectoryEntry& entry);
  Result<void> check_object(const std::string& path, const Digest& digest);
  Result<bool> is_sound(const std::string& path, const Digest& digest, const FileStatus& status);
  Result<void> check_successor(const std::string& path, const Digest& digest, std::uint64_t inode);
  // As ContentCheck::hash(), of a file that an upload may be writing.
  Result<ContentCheck::Finding> hash_object(const std::string& path, std::uint64_t inode,
                                            const Digest& digest);
  Result<bool> check_orphan(const std::string& path, const Digest& digest);
  Result<void> collect(const Digest& digest);
  Result<void> check_object_size(const std::string& path, const Digest& digest, ObjectRecord record,
                                 const FileStatus& status);
  Result<void> check_mode(const std::string& path, const std::string& name);

  // The index: scrub_index.cpp
  Result<void> check_rows();
  Result<bool> next_rows(const std::string& prefix, const std::string& after, std::vector<ArtifactKey>& page);
  Result<void> check_row(const ArtifactKey& key);
  Result<void> check_records();
  Result<void> check_object_record(const Digest& digest);
  Result<void> learn_inodes();

  // The trash: scrub_trash.cpp
  Result<void> check_trash_file(const std::string& path, FileType type);
  Result<void> check_trash_rows();
  Result<void> check_kept(std::uint64_t generation, const ArtifactKey& key);
  Result<void> check_unknown_kept(std::uint64_t generation, const ArtifactKey& key, const FileStatus& file);

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
  std::chrono::steady_clock::time_point reported_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point remembered_ = std::chrono::steady_clock::now();
  std::unordered_set<std::string> unread_archives_;  // contents with several names, hashed under a plain one
  std::unordered_set<std::string> lost_;  // contents of which a name was told to have lost its object
  std::optional<StoreCore::ObjectsByInode> inodes_;
};

}  // namespace larder
