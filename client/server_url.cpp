#include "client/server_url.hpp"

#include <algorithm>

#include "common/percent.hpp"

namespace larder::client {
namespace {

Error defect(std::string_view text, std::string_view what) {
  return Error(Errc::invalid_argument, "the server '" + std::string(text) + "' " + std::string(what) +
                                           "; write it like " + std::string(k_default_server));
}

}  // namespace

Result<ServerUrl> parse_server_url(std::string_view text) {
  std::string_view rest = text;
  std::string scheme = "http";
  if (const auto mark = rest.find("://"); mark != std::string_view::npos) {
    scheme = rest.substr(0, mark);
    rest.remove_prefix(mark + 3);
  }
  if (scheme != "http" && scheme != "https") return defect(text, "is neither http nor https");
  const auto is_bad = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '?' || c == '#'; };
  if (std::any_of(rest.begin(), rest.end(), is_bad)) return defect(text, "has a blank, a '?' or a '#'");
  while (rest.ends_with('/')) rest.remove_suffix(1);

  ServerUrl url;
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view credentials = authority.substr(0, at);
    const auto colon = credentials.find(':');
    const auto user = percent_decode(credentials.substr(0, colon));
    const auto password =
        percent_decode(colon == std::string_view::npos ? "" : credentials.substr(colon + 1));
    if (!user || !password)
      return defect(text, "has a stray '%' in its user or password; that is written %25");
    url.user = *user;
    url.password = *password;
    rest.remove_prefix(at + 1);
  }
  if (rest.empty() || rest.front() == '/' || rest.front() == ':') return defect(text, "names no host");
  url.base = scheme + "://" + std::string(rest);
  return url;
}

std::string host_of(const ServerUrl& server) {
  std::string_view rest = server.base;
  rest.remove_prefix(rest.find("://") + 3);
  rest = rest.substr(0, rest.find('/'));
  if (rest.starts_with('[')) return std::string(rest.substr(1, rest.find(']') - 1));
  return std::string(rest.substr(0, rest.find(':')));
}

bool is_loopback(const ServerUrl& server) {
  const std::string host = host_of(server);
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace larder::client
