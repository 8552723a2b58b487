#include "client/seed_scan.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <unordered_set>

#include "client/interrupt.hpp"

namespace larder::client {
namespace {

EntryType type_of(mode_t mode) {
  if (S_ISREG(mode)) return EntryType::file;
  if (S_ISDIR(mode)) return EntryType::directory;
  if (S_ISLNK(mode)) return EntryType::symlink;
  return EntryType::other;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Result<std::vector<std::string>> names_in(const std::filesystem::path& directory) {
  const std::unique_ptr<DIR, CloseDirectory> handle(::opendir(directory.c_str()));
  if (!handle) return posix_error("read the directory", directory.native(), errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(handle.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return posix_error("read the directory", directory.native(), errno);
  return names;
}

// A file whose verdict has to wait until the whole tree has been seen: only then
// is it known whether stamps are kept here at all.
struct Candidate {
  FoundFile file;
  EntryFacts facts;
};

class Walk {
 public:
  Walk(const std::filesystem::path& root, NamespaceKind kind) : root_(root) { traits_.kind = kind; }

  Result<Scan> run() {
    LARDER_TRY(enter(""));
    while (!pending_.empty()) {
      if (interrupted()) return Error(Errc::cancelled, "interrupted");
      const std::string directory = std::move(pending_.back());
      pending_.pop_back();
      const Result<void> entered = enter(directory);
      if (!entered && entered.error().code() != Errc::not_found) scan_.unreadable.push_back(entered.error());
    }
    judge_candidates();
    const auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
    std::sort(scan_.files.begin(), scan_.files.end(), by_path);
    std::sort(scan_.left_out.begin(), scan_.left_out.end(), by_path);
    return std::move(scan_);
  }

 private:
  Result<void> enter(const std::string& directory) {
    LARDER_TRY_ASSIGN(const std::vector<std::string> names, names_in(root_ / directory));
    const std::unordered_set<std::string_view> present(names.begin(), names.end());
    for (const std::string& name : names) {
      if (is_done_stamp(name)) traits_.done_stamps = DoneStamps::some;
      EntryFacts facts;
      if (present.contains(name + ".done")) facts.own_stamp = DoneStamps::some;
      look_at(directory.empty() ? name : directory + "/" + name, facts);
    }
    return {};
  }

  void look_at(const std::string& path, EntryFacts facts) {
    struct stat status = {};
    const std::filesystem::path full = root_ / path;
    if (::lstat(full.c_str(), &status) != 0) {
      if (errno != ENOENT) scan_.unreadable.push_back(posix_error("look at", full.native(), errno));
      return;
    }
    facts.type = type_of(status.st_mode);
    facts.size = static_cast<std::uint64_t>(status.st_size);
    if (facts.type != EntryType::directory) {
      const std::int64_t modified = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
      candidates_.push_back({{path, {facts.size, modified}}, facts});
      return;
    }
    const Verdict verdict = judge(traits_, path, facts);
    if (verdict.take()) {
      pending_.push_back(path);
    } else {
      scan_.left_out.push_back({path + "/", verdict.reason});
    }
  }

  void judge_candidates() {
    for (Candidate& candidate : candidates_) {
      const Verdict verdict = judge(traits_, candidate.file.path, candidate.facts);
      if (verdict.take()) {
        scan_.files.push_back(std::move(candidate.file));
      } else {
        scan_.left_out.push_back({std::move(candidate.file.path), verdict.reason});
      }
    }
  }

  const std::filesystem::path root_;
  TreeTraits traits_;
  std::vector<std::string> pending_;  // directories to enter
  std::vector<Candidate> candidates_;
  Scan scan_;
};

}  // namespace

Result<Scan> scan_tree(const std::filesystem::path& directory, NamespaceKind kind) {
  return Walk(directory, kind).run();
}

}  // namespace larder::client
