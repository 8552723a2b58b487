#include <algorithm>

#include "client/prune.hpp"
#include "client/text.hpp"
#include "common/artifact_key.hpp"
#include "common/units.hpp"

namespace larder::client {
namespace {

std::string row(std::string_view reason, const api::PruneSum& sum) {
  return "  " + left(reason, 12) + right(grouped(sum.groups), 10) + right(grouped(sum.names), 10) +
         right(human_size(sum.bytes), 12) + right(human_size(sum.freed), 12) + "\n";
}

}  // namespace

std::string_view hash_of_stamp(std::string_view file_name) {
  constexpr std::size_t k_digits = 64;
  const auto task = file_name.find(".do_");
  if (task == std::string_view::npos) return {};
  for (const std::string_view before : {"_setscene.", ".sigdata."}) {
    const auto found = file_name.find(before, task);
    if (found == std::string_view::npos) continue;
    // Behind the hash may stand what tells the stamps of several machines apart (stamp-extra-info).
    const std::string_view rest = file_name.substr(found + before.size());
    const std::string_view hash = rest.substr(0, rest.find('.'));
    const bool is_hash =
        hash.size() == k_digits && hash.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (is_hash) return hash;
  }
  return {};
}

std::vector<std::string> names_of_list(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && line.front() != '#') names.emplace_back(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return names;
}

Result<std::vector<std::string>> names_to_keep(const std::string& name_space, const std::string& file,
                                               std::string_view text) {
  std::vector<std::string> names = names_of_list(text);
  if (names.empty()) return Error(Errc::invalid_argument, file + " names nothing to keep");
  for (std::string& each : names) {
    if (each.starts_with(name_space + "/")) each.erase(0, name_space.size() + 1);
    const auto key = ArtifactKey::make(name_space, each);
    if (!key)
      return Error(Errc::invalid_argument,
                   file + ": '" + each + "' is no name below " + name_space + ": " + key.error().message());
  }
  return names;
}

std::string prune_page(const api::PruneRules& rules, const api::PruneEvent& event) {
  const bool applied = rules.apply;
  std::string page = rules.name_space + ": " + grouped(event.considered) + " groups looked at\n";
  api::PruneSum all;
  if (!event.by_reason.empty())
    page += "  " + left(applied ? "went" : "would go", 12) + right("groups", 10) + right("names", 10) +
            right("size", 12) + right("on disk", 12) + "\n";
  for (const auto& [reason, sum] : event.by_reason) {
    page += row(reason, sum);
    all.groups += sum.groups;
    all.names += sum.names;
    all.bytes += sum.bytes;
    all.freed += sum.freed;
  }
  if (event.by_reason.size() > 1) page += row("in all", all);
  if (event.by_reason.empty()) page += "  nothing goes by these rules\n";
  for (const auto& [reason, groups] : event.kept)
    page += "  stay, though the rules mean them: " + grouped(groups) + " " + reason + "\n";
  if (applied && event.changed > 0)
    page += "  " + grouped(event.changed) + " were used or changed meanwhile, and stay\n";
  if (applied && event.generation > 0)
    page += "In the trash as generation " + std::to_string(event.generation) + ": 'larder undo " +
            std::to_string(event.generation) +
            "' brings it back, 'larder trash empty' frees the space now.\n";
  if (applied && rules.no_trash && event.removed.names > 0)
    page += "Gone for good, " + human_size(event.removed.freed) + " freed on disk.\n";
  if (!applied && all.names > 0)
    page += rules.no_trash ? "Nothing has been removed; --yes removes these for good.\n"
                           : "Nothing has been removed; --yes moves these to the trash.\n";
  return page;
}

std::string trash_page(const std::vector<api::TrashGeneration>& generations) {
  if (generations.empty()) return "the trash is empty\n";
  std::string page = right("generation", 10) + "  " + left("removed", 16) + right("names", 10) +
                     right("size", 12) + "  why\n";
  for (const api::TrashGeneration& each : generations) {
    page += right(std::to_string(each.generation), 10) + "  " + left(local_time(each.removed), 16) +
            right(grouped(each.names), 10) + right(human_size(each.bytes), 12) + "  " + printable(each.why) +
            " (" + printable(each.actor) + "): " + printable(each.first) + (each.names > 1 ? " …" : "") +
            "\n";
  }
  return page;
}

}  // namespace larder::client
