#include "common/artifact_key.hpp"

#include <algorithm>
#include <cstdint>

#include "common/plain_bytes.hpp"
#include "common/utf8.hpp"

namespace larder {
namespace {

std::string_view character_defect(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return "a control character";
    const std::size_t length = utf8_sequence(text.substr(i));
    if (length == 0) return "bytes that are not UTF-8";
    // C1 controls (U+0080…U+009F) move terminals as the old ones do.
    if (length == 2 && byte == 0xC2 && static_cast<std::uint8_t>(text[i + 1]) < 0xA0)
      return "a control character";
    i += length;
  }
  return {};
}

std::string_view component_defect(std::string_view component) {
  if (component.empty()) return "an empty component";
  if (component == "." || component == "..") return "a '.' or '..' component";
  if (component.size() > k_max_component) return "a component longer than 255 bytes";
  return {};
}

}  // namespace

bool is_namespace_name(std::string_view name) {
  if (name.empty() || name.size() > k_max_namespace) return false;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (!plain(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_snapshot_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty() || name.size() > k_max_namespace || !plain(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

std::string_view snapshot_of(std::string_view space) {
  return space.starts_with('@') ? space.substr(1, space.find('/') - 1) : std::string_view();
}

std::string_view namespace_of(std::string_view space) {
  if (!space.starts_with('@')) return space;
  const auto slash = space.find('/');
  return slash == std::string_view::npos ? std::string_view() : space.substr(slash + 1);
}

bool is_space_name(std::string_view name) {
  if (!name.starts_with('@')) return is_namespace_name(name);
  return is_snapshot_name(snapshot_of(name)) && is_namespace_name(namespace_of(name));
}

std::string_view path_defect(std::string_view path) {
  if (path.empty()) return "an empty path";
  if (path.size() > k_max_path) return "more than 3072 bytes";
  if (!is_printable(path)) {  // few are not, and most of those are sound
    const auto defect = character_defect(path);
    if (!defect.empty()) return defect;
  }
  while (true) {
    const auto slash = path.find('/');
    const auto defect = component_defect(path.substr(0, slash));
    if (!defect.empty()) return defect;
    if (slash == std::string_view::npos) return {};
    path.remove_prefix(slash + 1);
  }
}

Result<ArtifactKey> ArtifactKey::make(std::string_view name_space, std::string_view path) {
  if (!is_space_name(name_space)) return Error(Errc::invalid_name, "this is no namespace name");
  const auto defect = path_defect(path);
  if (!defect.empty()) return Error(Errc::invalid_name, "a name cannot have " + std::string(defect));
  std::string text;
  text.reserve(name_space.size() + 1 + path.size());
  text.append(name_space).append("/").append(path);
  return ArtifactKey(std::move(text), name_space.size());
}

Result<ArtifactKey> ArtifactKey::parse(std::string_view text) {
  auto slash = text.find('/');
  if (text.starts_with('@') && slash != std::string_view::npos) slash = text.find('/', slash + 1);
  if (slash == std::string_view::npos)
    return Error(Errc::invalid_name, "a name needs a namespace and a path");
  return make(text.substr(0, slash), text.substr(slash + 1));
}

std::optional<KeyView> KeyView::of_live(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || !is_namespace_name(text.substr(0, slash))) return std::nullopt;
  if (!path_defect(text.substr(slash + 1)).empty()) return std::nullopt;
  return KeyView(text, slash);
}

std::string_view ArtifactKey::file_name() const {
  const std::string_view all = text_;
  return all.substr(all.rfind('/') + 1);
}

}  // namespace larder
