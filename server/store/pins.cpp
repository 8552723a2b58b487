#include "server/store/pins.hpp"

#include <algorithm>

#include "common/artifact_key.hpp"
#include "common/glob.hpp"
#include "server/store/layout.hpp"

namespace larder {
namespace {

Result<void> check_line(const std::string& line) {
  const auto slash = line.find('/');
  const std::string_view space = std::string_view(line).substr(0, slash);
  const bool plain = slash != std::string::npos && (is_namespace_name(space) || is_glob(space));
  if (!plain || !path_defect(std::string_view(line).substr(slash + 1)).empty())
    return Error(Errc::invalid_name, "'" + line + "' is no NAMESPACE/PATH, nor a pattern of such");
  return {};
}

}  // namespace

Result<void> Pins::load() {
  const auto file = disk_.open(layout::k_pins);
  if (!file && file.error().code() == Errc::not_found) return {};
  if (!file) return file.error();
  LARDER_TRY_ASSIGN(const FileStatus status, (*file)->status());
  std::string text(status.size, '\0');
  LARDER_TRY_ASSIGN(const std::size_t count, (*file)->read_at(0, std::as_writable_bytes(std::span(text))));
  text.resize(count);
  const std::lock_guard lock(mutex_);
  for (std::size_t start = 0; start < text.size();) {
    const auto end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    if (!line.empty()) (is_glob(line) ? patterns_ : names_).insert(line);
    start = end + 1;
  }
  return {};
}

bool Pins::holds(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  if (!names_.empty() && names_.count(std::string(key)) > 0) return true;
  return std::any_of(patterns_.begin(), patterns_.end(),
                     [&](const std::string& pattern) { return matches_glob(pattern, key); });
}

std::vector<std::string> Pins::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines(names_.begin(), names_.end());
  lines.insert(lines.end(), patterns_.begin(), patterns_.end());
  std::sort(lines.begin(), lines.end());
  return lines;
}

Result<std::size_t> Pins::add(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) LARDER_TRY(check_line(line));
  const std::lock_guard lock(mutex_);
  Lines names = names_;
  Lines patterns = patterns_;
  std::size_t fresh = 0;
  for (const std::string& line : lines)
    fresh += (is_glob(line) ? patterns : names).insert(line).second ? 1 : 0;
  if (fresh > 0) LARDER_TRY(save(names, patterns));
  names_.swap(names);
  patterns_.swap(patterns);
  return fresh;
}

Result<std::size_t> Pins::remove(const std::vector<std::string>& lines) {
  const std::lock_guard lock(mutex_);
  Lines names = names_;
  Lines patterns = patterns_;
  std::size_t gone = 0;
  for (const std::string& line : lines) gone += names.erase(line) + patterns.erase(line);
  if (gone > 0) LARDER_TRY(save(names, patterns));
  names_.swap(names);
  patterns_.swap(patterns);
  return gone;
}

// Whole or as before, also across a power cut. The mutex is held.
Result<void> Pins::save(const Lines& names, const Lines& patterns) {
  std::vector<std::string> lines(names.begin(), names.end());
  lines.insert(lines.end(), patterns.begin(), patterns.end());
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text.append(line).append("\n");
  const std::string fresh = layout::k_pins + ".new";
  (void)disk_.remove(fresh);
  LARDER_TRY_ASSIGN(const auto file, disk_.create(fresh));
  LARDER_TRY(file->append(std::as_bytes(std::span(text))));
  LARDER_TRY(file->sync());
  LARDER_TRY(disk_.replace(fresh, layout::k_pins));
  return disk_.sync_directory("");
}

}  // namespace larder
