#include "server/store/layout.hpp"

#include <algorithm>

namespace larder::layout {

std::string tree_path(const ArtifactKey& key) {
  return key.is_frozen() ? k_snapshots + "/" + key.str().substr(1) : k_tree + "/" + key.str();
}

std::string namespace_path(std::string_view name) {
  const std::string space(name);
  return space.starts_with('@') ? k_snapshots + "/" + space.substr(1) : k_tree + "/" + space;
}

Result<ArtifactKey> parse_tree_path(std::string_view path) {
  if (path.starts_with(k_tree + "/")) return ArtifactKey::parse(path.substr(k_tree.size() + 1));
  if (!path.starts_with(k_snapshots + "/")) return Error(Errc::invalid_name, "this is no file of the tree");
  return ArtifactKey::parse("@" + std::string(path.substr(k_snapshots.size() + 1)));
}

std::string object_directory(const Digest& digest) {
  return k_objects + "/" + digest.hex().substr(0, 2);
}

std::string object_path(const Digest& digest, unsigned copy) {
  const std::string hex = digest.hex();
  std::string path = k_objects + "/" + hex.substr(0, 2) + "/" + hex;
  if (copy > 0) path += "." + std::to_string(copy);
  return path;
}

std::string staging_path(std::uint64_t number) {
  return k_staging + "/" + std::to_string(number);
}

std::string journal_path(unsigned segment) {
  return k_journal + "/" + std::to_string(segment);
}

std::string trash_path(std::uint64_t generation, const ArtifactKey& key) {
  return k_trash + "/" + std::to_string(generation) + "/" + key.str();
}

std::string quarantine_path(std::uint64_t generation, const ArtifactKey& key) {
  return k_quarantine + "/" + std::to_string(generation) + "/" + key.str();
}

std::string condemned_path(std::uint64_t generation, const Digest& digest) {
  return k_quarantine + "/" + std::to_string(generation) + "/" + std::string(k_condemned) + "/" +
         digest.hex();
}

bool parse_object_name(std::string_view name, Digest& digest) {
  const auto parsed = Digest::from_hex(name.substr(0, 2 * Digest::k_bytes));
  if (!parsed) return false;
  const std::string_view copy = name.substr(2 * Digest::k_bytes);
  const bool numbered =
      copy.size() >= 2 && copy.front() == '.' &&
      std::all_of(copy.begin() + 1, copy.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!copy.empty() && !numbered) return false;
  digest = *parsed;
  return true;
}

}  // namespace larder::layout
