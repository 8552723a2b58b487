#include "client/tree_source.hpp"

#include <filesystem>

#include "common/percent.hpp"

namespace larder::client {
namespace {

TreeSource at_server(const ServerUrl& server, std::string name_space) {
  TreeSource source;
  source.where = TreeSource::Where::server;
  source.label = server.base + "/" + name_space;
  source.server = server;
  source.name_space = std::move(name_space);
  return source;
}

Result<TreeSource> at_other_server(std::string_view text, const Trust& trust) {
  std::string_view rest = text;
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const auto authority = rest.find("://") + 3;
  auto slash = rest.rfind('/');
  // Two parts of a path name a namespace of a snapshot.
  const auto earlier = rest.rfind('/', slash == 0 ? 0 : slash - 1);
  if (earlier != std::string_view::npos && earlier >= authority && rest.substr(earlier).starts_with("/@"))
    slash = earlier;
  if (slash < authority)
    return Error(
        Errc::invalid_argument,
        "'" + std::string(text) + "' names no namespace; write it like http://host:8480/sstate-cache");
  const auto name_space = percent_decode(rest.substr(slash + 1));
  if (!name_space) return Error(Errc::invalid_argument, "'" + std::string(text) + "' has a stray '%'");
  LARDER_TRY_ASSIGN(ServerUrl server, parse_server_url(rest.substr(0, slash)));
  server.trust = trust;
  return at_server(server, *name_space);
}

}  // namespace

Result<TreeSource> parse_tree_source(std::string_view text, const ServerUrl& server) {
  if (text.find("://") != std::string_view::npos) return at_other_server(text, server.trust);
  const bool is_directory =
      text == "." || text == ".." || (text.find('/') != std::string_view::npos && !text.starts_with('@'));
  if (text.empty()) return Error(Errc::invalid_argument, "an empty name is no tree");
  if (!is_directory) return at_server(server, std::string(text));
  TreeSource source;
  source.label = source.directory = text;
  return source;
}

Result<TreeSource> find_tree_source(std::string_view text, const ServerUrl& server) {
  LARDER_TRY_ASSIGN(TreeSource source, parse_tree_source(text, server));
  std::error_code failure;
  if (source.is_directory() && !std::filesystem::is_directory(source.directory, failure))
    return Error(Errc::invalid_argument, "there is no directory " + source.directory);
  return source;
}

}  // namespace larder::client
