#include "common/name_list.hpp"

#include <algorithm>
#include <string>

#include "common/artifact_key.hpp"

namespace larder {

Result<std::vector<WantedName>> parse_wanted(std::string_view text) {
  std::vector<WantedName> wanted;
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  wanted.reserve(std::min(lines, k_most_wanted));
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;

    if (wanted.size() == k_most_wanted)
      return Error(Errc::too_large, "more than 500,000 names in one request; ask in several");
    const auto tab = line.find('\t');
    WantedName item;
    item.path = line.substr(0, tab);
    if (tab != std::string_view::npos) {
      item.digest = Digest::from_hex(line.substr(tab + 1));
      if (!item.digest)
        return Error(Errc::invalid_argument,
                     "line " + std::to_string(number) + ": behind the tab is no SHA-256");
    }
    const std::string_view defect = path_defect(item.path);
    if (!defect.empty())
      return Error(Errc::invalid_argument,
                   "line " + std::to_string(number) + ": a name cannot have " + std::string(defect));
    wanted.push_back(std::move(item));
  }
  return wanted;
}

}  // namespace larder
