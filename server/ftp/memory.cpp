#include "server/ftp/memory.hpp"

#include <algorithm>
#include <set>

namespace larder::ftp {
namespace {

std::string refusal(std::string_view peer, std::string_view path) {
  return std::string(peer).append(" ").append(path);
}

}  // namespace

void SessionMemory::Entries::add(std::string text, UnixSeconds now) {
  remove(text);
  bytes += text.size();
  all.push_back({std::move(text), now});
  while (bytes > k_most_bytes) {
    bytes -= all.front().text.size();
    all.pop_front();
  }
}

void SessionMemory::Entries::remove(std::string_view text) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Entry& each) { return each.text == text; });
  if (found == all.end()) return;
  bytes -= found->text.size();
  all.erase(found);
}

void SessionMemory::made(std::string_view directory, UnixSeconds now) {
  const std::lock_guard lock(mutex_);
  made_.add(std::string(directory), now);
}

void SessionMemory::unmade(std::string_view directory) {
  const std::lock_guard lock(mutex_);
  made_.remove(directory);
}

bool SessionMemory::has_made(std::string_view directory, UnixSeconds now) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(made_.all.rbegin(), made_.all.rend(), [&](const Entry& each) {
    const std::string& made = each.text;
    return each.time > now - k_made_for && made.starts_with(directory) &&
           (made.size() == directory.size() || made[directory.size()] == '/');
  });
}

std::vector<std::string> SessionMemory::made_in(std::string_view directory, UnixSeconds now) const {
  const std::string prefix = directory == "/" ? "/" : std::string(directory) + "/";
  std::set<std::string> names;
  const std::lock_guard lock(mutex_);
  for (const Entry& each : made_.all) {
    if (each.time <= now - k_made_for || !each.text.starts_with(prefix)) continue;
    names.insert(each.text.substr(prefix.size(), each.text.find('/', prefix.size()) - prefix.size()));
  }
  return {names.begin(), names.end()};
}

void SessionMemory::refused(std::string_view peer, std::string_view path, UnixSeconds now) {
  const std::lock_guard lock(mutex_);
  refused_.add(refusal(peer, path), now);
}

bool SessionMemory::was_refused(std::string_view peer, std::string_view path, UnixSeconds now) const {
  const std::string wanted = refusal(peer, path);
  const std::lock_guard lock(mutex_);
  return std::any_of(refused_.all.rbegin(), refused_.all.rend(), [&](const Entry& each) {
    return each.time > now - k_refused_for && each.text == wanted;
  });
}

}  // namespace larder::ftp
