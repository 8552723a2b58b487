#include "common/sstate_name.hpp"

#include <algorithm>
#include <array>

namespace larder {
namespace {

constexpr std::size_t k_hash_digits = 64;
constexpr std::array<std::string_view, 2> k_extensions = {".tar.zst", ".tgz"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hash_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}
bool is_task_letter(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || c == '_';
}

template <typename Predicate>
bool all(std::string_view text, Predicate predicate) {
  return !text.empty() && std::all_of(text.begin(), text.end(), predicate);
}

bool drop_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

Companion drop_companion(std::string_view& text) {
  if (drop_suffix(text, ".siginfo")) return Companion::siginfo;
  if (drop_suffix(text, ".sig")) return Companion::sig;
  return Companion::none;
}

// Fields end with a colon.
bool take_field(std::string_view& text, std::string_view& field) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  field = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  return true;
}

// HASH_TASK.EXT; tasks may hold underscores, hashes cannot.
bool read_tail(std::string_view tail, SstateName& name) {
  for (const std::string_view extension : k_extensions) {
    if (!drop_suffix(tail, extension)) continue;
    name.extension = extension.substr(1);
    break;
  }
  if (name.extension.empty() || tail.size() <= k_hash_digits + 1 || tail[k_hash_digits] != '_') return false;
  name.hash = tail.substr(0, k_hash_digits);
  name.task = tail.substr(k_hash_digits + 1);
  return all(name.hash, is_hash_digit) && all(name.task, is_task_letter);
}

bool read_fields(std::string_view base, SstateName& name) {
  constexpr std::string_view k_start = "sstate:";
  if (!base.starts_with(k_start)) return false;
  base.remove_prefix(k_start.size());
  name.companion = drop_companion(base);
  for (std::string_view* const field :
       {&name.pn, &name.target, &name.pv, &name.pr, &name.pkgarch, &name.version}) {
    if (!take_field(base, *field)) return false;
  }
  return !name.pn.empty() && all(name.version, is_digit) && read_tail(base, name);
}

// Whether `directory` ends with `tail` as whole components.
bool ends_with_components(std::string_view directory, std::string_view tail) {
  if (!directory.ends_with(tail)) return false;
  return directory.size() == tail.size() || directory[directory.size() - tail.size() - 1] == '/';
}

void read_directory(std::string_view directory, SstateName& name) {
  const std::array<char, 5> both = {name.hash[0], name.hash[1], '/', name.hash[2], name.hash[3]};
  const std::string_view two_levels(both.data(), both.size());
  for (const std::string_view expected : {two_levels, two_levels.substr(0, 2)}) {
    if (!ends_with_components(directory, expected)) continue;
    name.hash_directories = directory.substr(directory.size() - expected.size());
    directory.remove_suffix(expected.size());
    if (!directory.empty()) directory.remove_suffix(1);
    break;
  }
  name.extra = directory;
}

}  // namespace

std::optional<SstateName> parse_sstate_name(std::string_view path) {
  if (path.starts_with('/') || path.find("//") != std::string_view::npos) return std::nullopt;
  const auto slash = path.rfind('/');
  const bool flat = slash == std::string_view::npos;
  SstateName name;
  if (!read_fields(flat ? path : path.substr(slash + 1), name)) return std::nullopt;
  if (!flat) read_directory(path.substr(0, slash), name);
  return name;
}

std::string_view group_of(std::string_view path) {
  std::string_view archive = path;
  if (drop_companion(archive) == Companion::none) return path;
  const bool known = std::any_of(k_extensions.begin(), k_extensions.end(),
                                 [&](std::string_view extension) { return archive.ends_with(extension); });
  return known ? archive : path;
}

}  // namespace larder
