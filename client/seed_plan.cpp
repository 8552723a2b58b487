#include "client/seed_plan.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace larder::client {
namespace {

// Gives every file its names. A file's own path always wins over a bare name that
// another file would like to have.
class NameGiver {
 public:
  NameGiver(NamespaceKind kind, const std::vector<FoundFile>& files) : kind_(kind) {
    for (const FoundFile& file : files) taken_.insert(file.path);
  }

  std::vector<PlannedName> names_for(const std::string& path, std::vector<NameClash>& clashes) {
    std::vector<PlannedName> names;
    for (std::string& name : published_names(kind_, path)) {
      const bool own = name == path;
      if (!own && !taken_.insert(name).second) {
        clashes.push_back({std::move(name), path});
        continue;
      }
      names.push_back({std::move(name), false, false});
    }
    return names;
  }

 private:
  NamespaceKind kind_;
  std::unordered_set<std::string> taken_;
};

}  // namespace

bool PlannedFile::is_missing() const {
  return std::any_of(names.begin(), names.end(), [](const PlannedName& name) { return name.missing; });
}

bool PlannedGroup::is_missing() const {
  return std::any_of(files.begin(), files.end(), [](const PlannedFile& file) { return file.is_missing(); });
}

const PlannedFile* PlannedGroup::archive() const {
  return !files.empty() && files.front().role == GroupRole::archive ? &files.front() : nullptr;
}

SeedPlan plan_seed(NamespaceKind kind, std::vector<FoundFile> files) {
  SeedPlan plan;
  NameGiver giver(kind, files);
  std::unordered_map<std::string, std::size_t> group_of;
  for (FoundFile& file : files) {
    const std::string key(group_key(kind, file.path));
    const auto [place, is_new] = group_of.try_emplace(key, plan.groups.size());
    if (is_new) plan.groups.emplace_back();
    PlannedFile planned;
    planned.role = group_role(kind, file.path);
    planned.names = giver.names_for(file.path, plan.clashes);
    planned.file = std::move(file);
    plan.groups[place->second].files.push_back(std::move(planned));
  }
  for (PlannedGroup& group : plan.groups) {
    std::sort(group.files.begin(), group.files.end(),
              [](const PlannedFile& a, const PlannedFile& b) { return a.role < b.role; });
  }
  return plan;
}

std::vector<NameRef> all_names(const SeedPlan& plan) {
  std::vector<NameRef> refs;
  for (std::size_t group = 0; group < plan.groups.size(); ++group) {
    const auto& files = plan.groups[group].files;
    for (std::size_t file = 0; file < files.size(); ++file) {
      for (std::size_t name = 0; name < files[file].names.size(); ++name) refs.push_back({group, file, name});
    }
  }
  return refs;
}

PlannedName& name_at(SeedPlan& plan, const NameRef& ref) {
  return plan.groups[ref.group].files[ref.file].names[ref.name];
}

const PlannedName& name_at(const SeedPlan& plan, const NameRef& ref) {
  return plan.groups[ref.group].files[ref.file].names[ref.name];
}

std::string question(std::string_view name) {
  return std::string(name) + "\n";
}

std::string question(std::string_view name, const Digest& digest) {
  return std::string(name) + "\t" + digest.hex() + "\n";
}

std::vector<std::string> missing_names(std::string_view answer) {
  std::vector<std::string> names;
  while (!answer.empty()) {
    const auto end = answer.find('\n');
    std::string_view line = answer.substr(0, end);
    answer.remove_prefix(end == std::string_view::npos ? answer.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = line.substr(0, line.find('\t'));
    if (!line.empty()) names.emplace_back(line);
  }
  return names;
}

}  // namespace larder::client
