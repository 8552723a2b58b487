#include "client/conf_text.hpp"

#include <algorithm>
#include <set>

#include "common/namespace_kind.hpp"
#include "common/percent.hpp"

namespace larder::client {
namespace {

std::vector<std::string> names_of_kind(const api::Stat& stat, NamespaceKind kind) {
  std::vector<std::string> names;
  for (const api::NamespaceStat& each : stat.namespaces) {
    if (each.kind == name_of(kind)) names.push_back(each.name);
  }
  return names;
}

std::string url_of(const ServerUrl& server, const std::string& name_space) {
  return server.base + "/" + percent_encode(name_space);
}

std::string host_warning(const ServerUrl& server) {
  if (!is_loopback(server)) return {};
  return "# This address works on this machine only. For the others ask by the name they know:\n"
         "#   larder --server http://build-cache.example:8480 conf\n";
}

std::string credentials_comment(const ServerUrl& server) {
  std::string text =
      "# If the server asks who you are: http://USER:PASS@HOST in a mirror never works (BitBake takes\n"
      "# USER:PASS@HOST for a host name, finds nothing and does not say so). Either add\n"
      "# \";user=USER;pswd=PASS\" to the end of the mirror, or keep it out of the files in ~/.netrc.\n"
      "# PASS is a token (larder token create --can read); USER is any name then:\n";
  const std::string user = server.has_credentials() ? server.user : "USER";
  return text + "#   machine " + host_of(server) + " login " + user + " password PASS\n";
}

std::string authority_comment(const ServerUrl& server) {
  if (!server.base.starts_with("https://")) return {};
  const std::string file = server.trust.authorities.empty() ? "CA.pem" : server.trust.authorities;
  return "# BitBake asks with Python and fetches with wget. An authority of your own is best added to those "
         "of\n"
         "# each build machine (/usr/local/share/ca-certificates, update-ca-certificates); otherwise say to "
         "both:\n"
         "#   export SSL_CERT_FILE=" +
         file +
         " BB_ENV_PASSTHROUGH_ADDITIONS=\"SSL_CERT_FILE\"\n"
         "#   echo 'ca_certificate = " +
         file + "' >> ~/.wgetrc\n";
}

constexpr std::string_view k_certificates_comment =
    "# Since kirkstone every availability check loads all CA certificates, even for plain http: 28 ms a hit\n"
    "# and 76 ms a miss, and more threads do not help. If nothing is fetched by https in your builds, this\n"
    "# makes \"Checking sstate mirror object availability\" ten times faster. It switches certificate "
    "checks\n"
    "# off for ALL fetches, so leave it alone when there are https sources:\n"
    "#   BB_CHECK_SSL_CERTS = \"0\"\n";

constexpr std::string_view k_hash_equivalence_comment =
    "# With BB_SIGNATURE_HANDLER = \"OEEquivHash\" and a private BB_HASHSERVE = \"auto\" without upstream, "
    "hashes\n"
    "# differ from build to build and little will match: let all builds share one hash equivalence server.\n"
    "# larderd can be that server: hashserv.listen in larderd.yaml.\n";

std::string hash_equivalence(const ServerUrl& server, const api::Stat& stat) {
  if (stat.hashserv.port == 0) return std::string(k_hash_equivalence_comment);
  const std::string host = host_of(server);
  const bool is_v6 = host.find(':') != std::string::npos;
  const std::string at = (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(stat.hashserv.port);
  return "# Tasks with the same output have the same hash in all builds that ask here (nothing of it is "
         "encrypted):\n"
         "BB_SIGNATURE_HANDLER = \"OEEquivHash\"\n"
         "BB_HASHSERVE = \"" +
         at +
         "\"\n"
         "# Only who may write is listened to. Where that takes a token, since scarthgap, in ~/.netrc, "
         "beside a line\n"
         "# without the port:\n"
         "#   machine " +
         at + " login " + (server.has_credentials() ? server.user : "USER") + " password PASS\n";
}

constexpr std::string_view k_layer_comment =
    "# With the layer share/larder/meta-larder, BitBake asks once for all objects instead of for each by "
    "itself:\n"
    "#   INHERIT += \"larder\"\n";

std::string sstate_mirrors(const ServerUrl& server, const std::vector<std::string>& names) {
  std::string text =
      "# Where other mirrors are set already, put this pair before theirs, into one value.\n"
      "SSTATE_MIRRORS = \"";
  std::string between;
  for (const std::string& name : names) {
    text += between + "file://.* " + url_of(server, name) + "/PATH;downloadfilename=PATH";
    between = " \\\n                  ";
  }
  return text + "\"\n" + std::string(k_layer_comment);
}

std::string source_mirror(const ServerUrl& server, const std::string& name) {
  return "INHERIT += \"own-mirrors\"\n"
         "SOURCE_MIRROR_URL = \"" +
         url_of(server, name) + "\"\n" +
         "# Makes one tarball of each checkout, so that `larder seed --namespace " + name +
         "` can share it.\n" + "BB_GENERATE_MIRROR_TARBALLS = \"1\"\n";
}

std::string bitbake_lines(const ServerUrl& server, const api::Stat& stat) {
  const auto sstate = names_of_kind(stat, NamespaceKind::sstate);
  const auto downloads = names_of_kind(stat, NamespaceKind::downloads);
  std::string text = "# From the larder at " + server.base + "\n" + host_warning(server) + "\n";
  if (sstate.empty())
    text += "# This server shows you no namespace of kind sstate, so there is nothing for SSTATE_MIRRORS.\n";
  if (!sstate.empty()) text += sstate_mirrors(server, sstate);
  text += "\n";
  if (downloads.empty())
    text += "# This server has no namespace of kind downloads, so there is no source mirror.\n";
  if (!downloads.empty()) text += source_mirror(server, downloads.front());
  text += "\n" + credentials_comment(server) + authority_comment(server) + "\n";
  text += k_certificates_comment;
  text += "\n";
  text += hash_equivalence(server, stat);
  return text;
}

std::string indented(std::string_view text, std::string_view by) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty()) out.append(by).append(line);
    out += "\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

std::string kas_text(const ServerUrl& server, const api::Stat& stat) {
  return "header:\n"
         "  version: 14\n"
         "local_conf_header:\n"
         "  larder: |\n" +
         indented(bitbake_lines(server, stat), "    ");
}

std::string buildroot_text(const ServerUrl& server, const api::Stat& stat) {
  const auto downloads = names_of_kind(stat, NamespaceKind::downloads);
  std::string text = "# From the larder at " + server.base + "\n" + host_warning(server);
  if (downloads.empty())
    return text + "# This server has no namespace of kind downloads, which Buildroot needs.\n";
  text += "BR2_PRIMARY_SITE=\"" + url_of(server, downloads.front()) + "\"\n";
  text +=
      "# For builds that must not touch the internet (BR2_BACKUP_SITE is not asked then, either):\n"
      "#   BR2_PRIMARY_SITE_ONLY=y\n"
      "# Buildroot fetches with wget: credentials go into ~/.netrc.\n"
      "#   machine " +
      host_of(server) + " login " + (server.has_credentials() ? server.user : "USER") +
      " password PASS\n"
      "# Fill it with: larder seed --namespace " +
      downloads.front() + " DL_DIR\n";
  return text;
}

}  // namespace

std::optional<ConfFormat> conf_format(std::string_view name) {
  if (name == "local.conf") return ConfFormat::local_conf;
  if (name == "kas") return ConfFormat::kas;
  if (name == "buildroot") return ConfFormat::buildroot;
  return std::nullopt;
}

Result<void> choose_namespaces(api::Stat& stat, const std::vector<std::string>& names) {
  std::vector<api::NamespaceStat> chosen;
  std::set<std::string> kinds;
  for (const std::string& name : names) {
    const std::string live = name.starts_with('@') ? name.substr(name.find('/') + 1) : name;
    const auto found = std::find_if(stat.namespaces.begin(), stat.namespaces.end(),
                                    [&](const api::NamespaceStat& each) { return each.name == live; });
    if (found == stat.namespaces.end())
      return Error(Errc::invalid_argument, "the server has no namespace '" + live + "'");
    kinds.insert(found->kind);
    chosen.push_back(*found);
    chosen.back().name = name;
  }
  for (const api::NamespaceStat& each : stat.namespaces) {
    if (each.overlay.empty() && kinds.count(each.kind) == 0) chosen.push_back(each);
  }
  // Who sees nothing of what the hashes are about may not ask for them, either.
  const bool may_ask = std::any_of(stat.namespaces.begin(), stat.namespaces.end(), [&](const auto& each) {
    return each.name == stat.hashserv.name_space || each.overlay == stat.hashserv.name_space;
  });
  const bool has_state = std::any_of(chosen.begin(), chosen.end(), [](const auto& each) {
    return each.kind == name_of(NamespaceKind::sstate);
  });
  if (!may_ask || !has_state) stat.hashserv = {};
  stat.namespaces = std::move(chosen);
  return {};
}

std::string conf_text(ConfFormat format, const ServerUrl& server, const api::Stat& stat) {
  switch (format) {
    case ConfFormat::local_conf: return bitbake_lines(server, stat);
    case ConfFormat::kas: return kas_text(server, stat);
    case ConfFormat::buildroot: return buildroot_text(server, stat);
  }
  return {};
}

}  // namespace larder::client
