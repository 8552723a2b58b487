#include "server/ftp/lister.hpp"

#include <algorithm>

#include "common/glob.hpp"

namespace larder::ftp {
namespace {

constexpr std::size_t k_page = 1024;             // entries read from the index at once,
constexpr std::size_t k_page_bytes = 256 << 10;  // or fewer, when their lines are long

Error nothing_there(const Action& action) {
  return Error(Errc::not_found, "There is no " + action.path);
}

// What stands before the last component as the client wrote it: NLST's names have to
// lead from where the client is (RFC 1123, section 4.1.2.7).
std::string prefix_of(std::string_view named, bool directory) {
  if (named.empty() || named == ".") return {};
  if (directory) return named.ends_with('/') ? std::string(named) : std::string(named) + "/";
  const auto slash = named.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(named.substr(0, slash + 1));
}

}  // namespace

void Lister::show_namespaces() {
  for (const NamespaceConfig& each : repository_.namespaces()) show_namespace(each.name);
}

void Lister::show_namespace(const std::string& name) {
  if (!may_.may(Right::read, name)) return;
  api::ListingEntry entry;
  entry.name = name;
  entry.directory = true;
  page_.entries.push_back(std::move(entry));
}

Task<Result<void>> Lister::begin(const Action& action) {
  place_ = place_of(action.path);
  style_.prefix = prefix_of(action.named, true);
  const Result<void> success;
  if (place_.kind == Place::Kind::root) {
    show_namespaces();
    co_return success;
  }
  const std::string_view last = last_of(action.path);
  if (parent_of(action.path) == "/" && is_glob(last)) {
    pattern_ = last;
    style_.prefix = prefix_of(action.named, false);
    show_namespaces();
    co_return success;
  }
  if (place_.kind == Place::Kind::nowhere) co_return nothing_there(action);
  if (place_.kind == Place::Kind::snapshot) {
    const std::string name = place_.name_space.substr(1);
    const std::vector<std::string> spaces = repository_.spaces_of_snapshot(name);
    if (!repository_.has_snapshot(name) || !may_see_snapshot(may_, spaces)) co_return nothing_there(action);
    for (const std::string& each : spaces) show_namespace(each);
    co_return success;
  }
  const bool hidden = !may_.may(Right::read, place_.name_space);
  if (hidden || repository_.find_namespace(place_.name_space) == nullptr) co_return nothing_there(action);
  if (place_.kind == Place::Kind::below) co_return co_await begin_below(action);
  std::string top;
  const auto opened = co_await open_directory(std::move(top));
  if (!opened && opened.error().code() != Errc::not_found) co_return opened;  // nothing in it yet is fine
  add_made(action.path);
  co_return success;
}

Task<Result<void>> Lister::begin_below(const Action& action) {
  const Result<void> success;
  const auto key = place_.key();
  if (!key) co_return key.error();
  const auto entry = co_await repository_.stat(*key);
  if (entry) {
    if (style_.format == ListFormat::machines)
      co_return Error(Errc::invalid_argument, action.path + " is a file; MLST tells of it");
    api::ListingEntry shown;
    shown.name = key->file_name();
    shown.size = entry->size;
    shown.stored = entry->stored;
    page_.entries.push_back(std::move(shown));
    style_.prefix = prefix_of(action.named, false);
    co_return success;
  }
  if (entry.error().code() != Errc::not_found) co_return entry.error();
  std::string path = place_.path;
  auto opened = co_await open_directory(std::move(path));
  if (opened || memory_.has_made(action.path, style_.now)) {
    add_made(action.path);
    co_return success;
  }
  if (opened.error().code() != Errc::not_found) co_return opened;
  if (!is_glob(last_of(action.path))) co_return nothing_there(action);
  pattern_ = last_of(action.path);
  style_.prefix = prefix_of(action.named, false);
  const Place above = place_of(parent_of(action.path));
  std::string parent = above.path;
  opened = co_await open_directory(std::move(parent));
  if (!opened && opened.error().code() == Errc::not_found) co_return nothing_there(action);
  co_return opened;
}

Task<Result<void>> Lister::open_directory(std::string path) {
  directory_ = std::move(path);
  std::string start;
  const std::size_t limit = entries_a_page();
  auto page = co_await repository_.list_directory(place_.name_space, directory_, std::move(start), limit);
  if (!page) co_return page.error();
  page_ = std::move(*page);
  const Result<void> success;
  co_return success;
}

// Directories with nothing below them are not in the index.
void Lister::add_made(std::string_view directory) {
  for (std::string& name : memory_.made_in(directory, style_.now)) {
    const std::string path = place_.path.empty() ? name : place_.path + "/" + name;
    if (repository_.peek_directory(place_.name_space, path) == Index::Found::hit) continue;
    api::ListingEntry entry;
    entry.name = std::move(name);
    entry.directory = true;
    page_.entries.push_back(std::move(entry));
  }
}

std::size_t Lister::entries_a_page() const {
  constexpr std::size_t k_line = 350;  // bytes of one with a long name
  return std::clamp<std::size_t>(k_page_bytes / (style_.prefix.size() + k_line), 16, k_page);
}

std::string Lister::render() const {
  std::string text;
  for (const api::ListingEntry& entry : page_.entries) {
    if (pattern_.empty() || matches_glob(pattern_, entry.name)) append_entry(text, entry, style_);
  }
  return text;
}

Task<Result<bool>> Lister::next(std::string& out) {
  // Formatting, and matching most of all, takes longer than a loop should be away.
  const Lister* const self = this;
  const std::string text = co_await repository_.pool().run(&Lister::render, self);
  out += text;
  page_.entries.clear();
  if (!page_.more) co_return false;
  std::string after = page_.next;
  const std::size_t limit = entries_a_page();
  auto page = co_await repository_.list_directory(place_.name_space, directory_, std::move(after), limit);
  if (!page) co_return page.error();
  page_ = std::move(*page);
  co_return true;
}

}  // namespace larder::ftp
