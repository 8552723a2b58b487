// The name of an artifact: a namespace and a path below it, both checked.
// Whoever holds an ArtifactKey need not check again: it cannot leave its
// namespace, forge a line of a listing, or name a file no disk can hold.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace larder {

// Names on Linux are at most 255 bytes (NAME_MAX); the whole path stays well
// below PATH_MAX (4096) so that the data directory fits in front of it.
inline constexpr std::size_t k_max_component = 255;
inline constexpr std::size_t k_max_path = 3072;
inline constexpr std::size_t k_max_namespace = 64;

// [a-z0-9][a-z0-9._-]*, at most 64 bytes; "-" and "@" open other doors.
bool is_namespace_name(std::string_view name);

// [A-Za-z0-9][A-Za-z0-9._-]*, at most 64 bytes.
bool is_snapshot_name(std::string_view name);

// What a name can stand in: a namespace, or "@SNAPSHOT/NAMESPACE", one as it was frozen.
bool is_space_name(std::string_view name);
std::string_view snapshot_of(std::string_view space);  // "" for a namespace itself
std::string_view namespace_of(std::string_view space);

// Why `path` cannot be a path below a namespace, or an empty view when it can:
// components of 1…255 bytes of UTF-8 without control characters, none "." or
// "..", separated by single slashes, no slash first or last.
std::string_view path_defect(std::string_view path);

class ArtifactKey {
 public:
  static Result<ArtifactKey> make(std::string_view name_space, std::string_view path);
  // "namespace/path", "@snapshot/namespace/path", as str() gives it.
  static Result<ArtifactKey> parse(std::string_view text);

  // The space: "sstate-cache", or "@release/sstate-cache" of a snapshot.
  std::string_view name_space() const { return std::string_view(text_).substr(0, split_); }
  std::string_view path() const { return std::string_view(text_).substr(split_ + 1); }
  std::string_view file_name() const;
  const std::string& str() const { return text_; }  // "sstate-cache/ab/cd/sstate:…"
  bool is_frozen() const { return text_.starts_with('@'); }

  bool operator==(const ArtifactKey& other) const { return text_ == other.text_; }
  auto operator<=>(const ArtifactKey& other) const { return text_ <=> other.text_; }

 private:
  ArtifactKey(std::string text, std::size_t split) : text_(std::move(text)), split_(split) {}

  std::string text_;
  std::size_t split_;  // position of the slash behind the namespace
};

// A checked name in somebody else's memory, where it has to stay for as long as this is used.
class KeyView {
 public:
  KeyView(const ArtifactKey& key) : text_(key.str()), split_(key.name_space().size()) {}
  // "namespace/path" of a namespace itself, not of a snapshot; nothing when that is no name.
  static std::optional<KeyView> of_live(std::string_view text);

  std::string_view str() const { return text_; }
  std::string_view name_space() const { return text_.substr(0, split_); }
  std::string_view path() const { return text_.substr(split_ + 1); }
  std::string_view file_name() const { return text_.substr(text_.rfind('/') + 1); }
  bool is_frozen() const { return text_.starts_with('@'); }

 private:
  KeyView(std::string_view text, std::size_t split) : text_(text), split_(split) {}

  std::string_view text_;
  std::size_t split_;
};

}  // namespace larder

template <>
struct std::hash<larder::ArtifactKey> {
  std::size_t operator()(const larder::ArtifactKey& key) const noexcept {
    return std::hash<std::string>{}(key.str());
  }
};
