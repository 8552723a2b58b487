#include "server/config.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>

#include "common/artifact_key.hpp"
#include "common/rights.hpp"
#include "server/config_keys.hpp"

namespace larder {

std::string hashserv_namespace(const Config& config) {
  if (!config.hashserv.name_space.empty()) return config.hashserv.name_space;
  for (const NamespaceConfig& each : config.namespaces) {
    if (each.kind == NamespaceKind::sstate && each.overlay.empty()) return each.name;
  }
  return {};
}

std::string to_string(const ConfigDefect& defect) {
  std::string text = defect.source;
  if (defect.line > 0) text += ":" + std::to_string(defect.line);
  return text + ": " + defect.message;
}

namespace {

int line_of(const YAML::Node& node) {
  return node.Mark().line + 1;
}  // the library counts from 0

std::string suggestion(std::string_view name, const std::vector<std::string_view>& candidates) {
  const std::string_view near = nearest(name, candidates);
  return near.empty() ? std::string() : "; did you mean '" + std::string(near) + "'?";
}

// Reads one file into a ConfigResult, noting every defect on the way.
class Reader {
 public:
  Reader(ConfigResult& result, std::string_view source) : result_(result), source_(source) {}

  void read(std::string_view yaml) {
    std::vector<YAML::Node> documents;
    try {
      documents = YAML::LoadAll(std::string(yaml));
    } catch (const YAML::Exception& failure) {
      return defect(failure.mark.line + 1, "this is not YAML: " + failure.msg);
    }
    if (documents.size() > 1)
      return defect(line_of(documents[1]), "a configuration is one document; here starts a second");
    if (!documents.empty()) section(documents.front(), "");
  }

 private:
  // One pass over the keys of a map; `known` is told each name once.
  template <typename Known>
  void each_key(const YAML::Node& map, const std::string& prefix, const Known& known) {
    std::map<std::string, int> seen;
    for (const auto& member : map) {
      if (!member.first.IsScalar()) {
        defect(line_of(member.first), "a key is a plain word");
        continue;
      }
      const std::string name = member.first.Scalar();
      const auto [first, fresh] = seen.emplace(name, line_of(member.first));
      if (!fresh) {
        defect(line_of(member.first),
               prefix + name + " is given twice, first on line " + std::to_string(first->second));
        continue;
      }
      known(name, line_of(member.first), member.second);
    }
  }

  void section(const YAML::Node& node, const std::string& prefix) {
    if (node.IsNull()) return;  // a section whose keys are all commented out
    if (!node.IsMap()) {
      const std::string what = prefix.empty() ? "a configuration" : prefix.substr(0, prefix.size() - 1);
      return defect(line_of(node), what + " needs keys and values");
    }
    each_key(node, prefix, [&](const std::string& name, int line, const YAML::Node& value) {
      const std::string path = prefix + name;
      if (path == k_namespaces_key) return namespaces(value);
      if (path == k_certificates_key && value.IsSequence()) return certificates(value);
      if (is_section(path)) return section(value, path + ".");
      for (const auto& key : config_keys()) {
        if (key.path == path) return set(key, path, line, value, result_.config);
      }
      defect(line, "unknown key '" + path + "'" + suggestion(path, known_paths()));
    });
  }

  void namespaces(const YAML::Node& node) {
    if (node.IsNull()) return;
    if (!node.IsSequence()) return defect(line_of(node), "namespaces needs a list: '- name: …' for each");
    result_.origins[std::string(k_namespaces_key)] = {source_, line_of(node)};
    result_.config.namespaces.clear();
    for (const YAML::Node& entry : node) {
      const std::string prefix = "namespaces[" + std::to_string(result_.config.namespaces.size()) + "]";
      result_.origins[prefix] = {source_, line_of(entry)};
      result_.config.namespaces.push_back(name_space(entry, prefix + "."));
    }
  }

  void certificates(const YAML::Node& node) {
    const std::string path(k_certificates_key);
    result_.origins[path] = {source_, line_of(node)};
    result_.config.tls.certificates.clear();
    for (const YAML::Node& entry : node) {
      const std::string place = path + "[" + std::to_string(result_.config.tls.certificates.size()) + "]";
      result_.origins[place] = {source_, line_of(entry)};
      result_.config.tls.certificates.push_back(certificate(entry, place + "."));
    }
  }

  CertificateConfig certificate(const YAML::Node& entry, const std::string& prefix) {
    CertificateConfig config;
    if (entry.IsScalar()) {
      const auto parsed = parse_certificate(entry.Scalar());
      if (!parsed) defect(line_of(entry), "an entry of tls.certificates " + parsed.error().message());
      return parsed ? *parsed : config;
    }
    if (!entry.IsMap()) {
      defect(line_of(entry), "an entry of tls.certificates needs keys: certificate and key");
      return config;
    }
    each_key(entry, prefix, [&](const std::string& name, int line, const YAML::Node& value) {
      result_.origins[prefix + name] = {source_, line};
      if (name != "certificate" && name != "key")
        return defect(
            line, "unknown key '" + name + "' of a certificate" + suggestion(name, {"certificate", "key"}));
      if (!value.IsScalar() || value.Scalar().empty())
        return defect(line, prefix + name + " needs the name of a file");
      (name == "key" ? config.key : config.certificate) = value.Scalar();
    });
    if (config.certificate.empty()) defect(line_of(entry), "a certificate needs its file: certificate: FILE");
    if (config.key.empty()) config.key = config.certificate;
    return config;
  }

  NamespaceConfig name_space(const YAML::Node& entry, const std::string& prefix) {
    NamespaceConfig config;
    if (!entry.IsMap()) {
      defect(line_of(entry), "an entry of namespaces needs keys: name, kind, …");
      return config;
    }
    each_key(entry, prefix, [&](const std::string& name, int line, const YAML::Node& value) {
      std::vector<std::string_view> known;
      for (const auto& key : namespace_keys()) {
        if (key.path == name) return set(key, prefix + name, line, value, config);
        known.push_back(key.path);
      }
      defect(line, "unknown key '" + name + "' of a namespace" + suggestion(name, known));
    });
    return config;
  }

  template <typename Owner>
  void set(const ConfigKey<Owner>& key, const std::string& path, int line, const YAML::Node& value,
           Owner& owner) {
    result_.origins[path] = {source_, line};
    if (value.IsNull()) {
      // A list whose lines are all commented out keeps its default, like a section.
      if (key.takes == Takes::one_value) defect(line, path + " needs a value");
      return;
    }
    if (value.IsMap()) return defect(line, path + " takes a value, not a section");

    ConfigValues values;
    if (value.IsScalar()) values.push_back(value.Scalar());
    for (const YAML::Node& element : value) {
      if (!element.IsScalar()) return defect(line_of(element), path + " needs a list of plain values");
      values.push_back(element.Scalar());
    }
    const auto outcome = key.set(owner, values);
    if (!outcome) defect(line, path + " " + outcome.error().message());
  }

  static bool is_section(const std::string& path) {
    return std::any_of(config_keys().begin(), config_keys().end(),
                       [&](const auto& key) { return key.path.starts_with(path + "."); });
  }

  static std::vector<std::string_view> known_paths() {
    std::vector<std::string_view> paths = {k_namespaces_key, "http", "ftp", "hashserv", "tls",
                                           "access",         "log"};
    for (const auto& key : config_keys()) paths.push_back(key.path);
    return paths;
  }

  void defect(int line, std::string message) {
    result_.defects.push_back({source_, line, std::move(message)});
  }

  ConfigResult& result_;
  std::string source_;
};

}  // namespace

ConfigResult parse_config(std::string_view yaml, std::string_view source) {
  ConfigResult result;
  Reader(result, source).read(yaml);
  return result;
}

ConfigResult load_config(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (stream.is_open()) text << stream.rdbuf();
  const bool unreadable = text.fail() && errno != 0;  // an empty file fails, too, but with no reason
  if (!stream.is_open() || unreadable) {
    ConfigResult result;
    result.defects.push_back({file.string(), 0, posix_error("read", "the configuration", errno).message()});
    return result;
  }
  return parse_config(text.str(), file.string());
}

void apply_setting(ConfigResult& result, std::string_view path, const std::vector<std::string>& values,
                   std::string_view source) {
  for (const auto& key : config_keys()) {
    if (key.path != path) continue;
    result.origins[std::string(path)] = {std::string(source), 0};
    const auto outcome = key.set(result.config, values);
    if (!outcome) result.defects.push_back({std::string(source), 0, outcome.error().message()});
    return;
  }
  result.defects.push_back({std::string(source), 0, "unknown key '" + std::string(path) + "'"});
}

namespace {

// "a, b,c" → a b c; nothing → an empty list.
ConfigValues split_list(std::string_view text) {
  ConfigValues values;
  while (!text.empty()) {
    const auto comma = text.find(',');
    std::string_view value = text.substr(0, comma);
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with(' ')) value.remove_suffix(1);
    values.emplace_back(value);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return values;
}

constexpr std::string_view k_variable_prefix = "LARDER_";

// What a variable nearly names; both without the prefix, which would make all look alike.
std::string_view nearest_variable(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& key : config_keys()) names.push_back(key.variable.substr(k_variable_prefix.size()));
  return nearest(name, names);
}

}  // namespace

void apply_environment(ConfigResult& result, const Environment& environment) {
  for (const std::string& line : environment()) {
    const auto equals = line.find('=');
    if (!line.starts_with(k_variable_prefix) || equals == std::string::npos) continue;
    const std::string name = line.substr(0, equals);
    const std::string value = line.substr(equals + 1);

    const auto key = std::find_if(config_keys().begin(), config_keys().end(),
                                  [&](const auto& each) { return each.variable == name; });
    if (key == config_keys().end()) {
      const std::string_view meant = nearest_variable(name.substr(k_variable_prefix.size()));
      if (meant.empty()) continue;
      const std::string hint =
          "; did you mean '" + std::string(k_variable_prefix) + std::string(meant) + "'?";
      result.defects.push_back({name, 0, "no such setting" + hint});
      continue;
    }
    const ConfigValues values = key->takes == Takes::list ? split_list(value) : ConfigValues{value};
    apply_setting(result, key->path, values, name);
  }
}

ConfigDefect defect_at(const ConfigResult& result, const std::string& path, const std::string& message) {
  const auto origin = result.origins.find(path);
  if (origin == result.origins.end()) return {"larderd", 0, path + " " + message};
  return {origin->second.source, origin->second.line, path + " " + message};
}

namespace {

// Notes defects of the whole, each with the place its key was set at.
class Checker {
 public:
  explicit Checker(ConfigResult& result) : result_(result) {}

  void require(bool holds, const std::string& path, const std::string& message) {
    if (!holds) result_.defects.push_back(defect_at(result_, path, message));
  }

 private:
  ConfigResult& result_;
};

void check_limits(const Config& config, Checker& check) {
  using std::chrono::milliseconds;
  const std::string positive = "must be more than 0";
  check.require(!config.data.empty(), "data", "needs a directory");
  check.require(config.index_cache.bytes > 0, "index_cache", positive);
  check.require(config.content_files <= 100000, "content_files", "can be 100000 at most");
  check.require(config.disk_threads > 0, "disk_threads", positive);
  check.require(config.disk_threads <= 1024, "disk_threads", "can be 1024 at most");
  check.require(config.loops <= 1024, "loops", "can be 1024 at most");
  check.require(config.scrub.period > milliseconds(0), "scrub.period", positive);

  const HttpConfig& http = config.http;
  check.require(http.idle_timeout > milliseconds(0), "http.idle_timeout", positive);
  check.require(http.header_timeout > milliseconds(0), "http.header_timeout", positive);
  check.require(http.body_timeout > milliseconds(0), "http.body_timeout", positive);
  check.require(http.max_header_size >= 1_KiB, "http.max_header_size", "must be at least 1KiB");
  check.require(http.max_header_size <= 64_KiB, "http.max_header_size", "can be 64KiB at most");
  check.require(http.max_object_size.bytes > 0, "http.max_object_size", positive);
  check.require(http.max_connections > 0, "http.max_connections", positive);
  check.require(http.max_connections_per_address > 0, "http.max_connections_per_address", positive);
  check.require(http.max_connections_per_address <= http.max_connections, "http.max_connections_per_address",
                "is larger than http.max_connections (" + std::to_string(http.max_connections) + ")");
}

void check_ftp_limits(const FtpConfig& ftp, Checker& check) {
  using std::chrono::milliseconds;
  const std::string positive = "must be more than 0";
  check.require(ftp.idle_timeout > milliseconds(0), "ftp.idle_timeout", positive);
  check.require(ftp.connect_timeout > milliseconds(0), "ftp.connect_timeout", positive);
  check.require(ftp.data_timeout > milliseconds(0), "ftp.data_timeout", positive);
  check.require(ftp.max_sessions > 0, "ftp.max_sessions", positive);
  check.require(ftp.max_sessions_per_address > 0, "ftp.max_sessions_per_address", positive);
  check.require(ftp.max_sessions_per_address <= ftp.max_sessions, "ftp.max_sessions_per_address",
                "is larger than ftp.max_sessions (" + std::to_string(ftp.max_sessions) + ")");
  check.require(ftp.passive_ports.any() || ftp.passive_ports.first >= 1024, "ftp.passive_ports",
                "must be 1024 or more: lower ports belong to the system's own services");
}

void check_hashserv(const Config& config, Checker& check) {
  const HashservConfig& hashserv = config.hashserv;
  check.require(hashserv.idle_timeout > std::chrono::milliseconds(0), "hashserv.idle_timeout",
                "must be more than 0");
  check.require(hashserv.keep == std::chrono::milliseconds(0) || hashserv.keep >= std::chrono::days(1),
                "hashserv.keep", "must be 1d or more, or 0: what was asked for is noted by the day");
  check.require(hashserv.max_connections > 0, "hashserv.max_connections", "must be more than 0");
  check.require(hashserv.max_connections_per_address > 0, "hashserv.max_connections_per_address",
                "must be more than 0");
  check.require(hashserv.max_connections_per_address <= hashserv.max_connections,
                "hashserv.max_connections_per_address",
                "is larger than hashserv.max_connections (" + std::to_string(hashserv.max_connections) + ")");
  if (hashserv.listen.empty() && hashserv.name_space.empty()) return;
  const std::string name = hashserv_namespace(config);
  const auto found = std::ranges::find(config.namespaces, name, &NamespaceConfig::name);
  check.require(!name.empty(), "hashserv.listen", "needs a namespace of the kind sstate, and there is none");
  const bool fits =
      found != config.namespaces.end() && found->kind == NamespaceKind::sstate && found->overlay.empty();
  check.require(name.empty() || fits, "hashserv.namespace",
                "is to name a namespace of the kind sstate that is no lane, not '" + name + "'");
}

void check_listeners(const Config& config, Checker& check) {
  check.require(!config.http.listen.empty() || !config.http.listen_tls.empty(), "http.listen",
                "needs at least one address, or http.listen_tls");
  std::map<std::string, std::string> seen;  // keys, by what they name
  const auto once = [&](const Endpoint& endpoint, const std::string& key) {
    if (endpoint.port == 0) return;  // the system picks one, another each time
    const std::string text = to_string(endpoint);
    const auto [first, fresh] = seen.emplace(text, key);
    check.require(fresh, key,
                  first->second == key ? "names " + text + " twice"
                                       : "names " + text + ", as " + first->second + " does");
  };
  for (const Endpoint& each : config.http.listen) once(each, "http.listen");
  for (const Endpoint& each : config.http.listen_tls) once(each, "http.listen_tls");
  for (const FtpEndpoint& each : config.ftp.listen) once(each.endpoint, "ftp.listen");
  for (const FtpEndpoint& each : config.ftp.listen_tls) once(each.endpoint, "ftp.listen_tls");
  for (const Endpoint& each : config.hashserv.listen) once(each, "hashserv.listen");
}

void check_tls(const Config& config, Checker& check) {
  const bool there = !config.tls.certificates.empty();
  const std::string missing = "needs a certificate: see tls.certificates";
  check.require(config.http.listen_tls.empty() || there, "http.listen_tls", missing);
  check.require(config.ftp.listen_tls.empty() || there, "ftp.listen_tls", missing);
  check.require(config.ftp.tls == FtpTls::off || there, "ftp.tls", missing);
  const bool asks = config.tls.client_certificates != ClientCertificates::none;
  check.require(!asks || !config.tls.client_ca.empty(), "tls.client_certificates",
                "needs tls.client_ca, the file with the authorities that may vouch for clients");
  check.require(asks || config.tls.client_ca.empty(), "tls.client_ca",
                "is of no use while tls.client_certificates is none");
  check.require(config.tls.handshake_timeout > std::chrono::milliseconds(0), "tls.handshake_timeout",
                "must be more than 0");
}

void check_namespaces(const Config& config, Checker& check) {
  check.require(!config.namespaces.empty(), std::string(k_namespaces_key), "needs at least one entry");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < config.namespaces.size(); ++i) {
    const NamespaceConfig& each = config.namespaces[i];
    const std::string place = "namespaces[" + std::to_string(i) + "]";
    if (each.name.empty()) {
      check.require(false, place, "needs a name");
      continue;
    }
    check.require(
        is_namespace_name(each.name), place + ".name",
        "must be lower-case letters, digits, '.', '_' and '-', at most 64 and starting with a letter or "
        "digit, not '" +
            each.name + "'");
    check.require(seen.insert(each.name).second, place + ".name", "is '" + each.name + "' a second time");
    check.require(each.max_object_size <= config.http.max_object_size, place + ".max_object_size",
                  "is larger than http.max_object_size, which holds for all");
    check.require(each.max_size.bytes == 0 || each.max_object_size <= each.max_size,
                  place + ".max_object_size", "is larger than the max_size of the same namespace");
  }
}

const NamespaceConfig* find_namespace(const Config& config, std::string_view name) {
  const auto found = std::find_if(config.namespaces.begin(), config.namespaces.end(),
                                  [&](const NamespaceConfig& each) { return each.name == name; });
  return found == config.namespaces.end() ? nullptr : &*found;
}

// One level, and of one kind: what a lane shows has to mean the same in both.
void check_overlays(const Config& config, Checker& check) {
  for (std::size_t i = 0; i < config.namespaces.size(); ++i) {
    const NamespaceConfig& each = config.namespaces[i];
    if (each.overlay.empty()) continue;
    const std::string place = "namespaces[" + std::to_string(i) + "].overlay";
    const NamespaceConfig* const below = find_namespace(config, each.overlay);
    check.require(each.overlay != each.name, place, "is the namespace itself");
    check.require(below != nullptr, place, "names no namespace: there is no '" + each.overlay + "'");
    if (below == nullptr || below == &each) continue;
    check.require(
        below->overlay.empty(), place,
        "is '" + below->name + "', which overlays '" + below->overlay + "' itself: one level is all");
    check.require(below->kind == each.kind, place,
                  "is '" + below->name + "', which is of kind " + std::string(name_of(below->kind)) +
                      ": both have to be of one kind");
  }
}

// "all", "none", "loopback" or a namespace, each.
void check_anonymous(const Config& config, const std::string& right, const std::vector<std::string>& words,
                     Checker& check) {
  const std::string path = "access.anonymous." + right;
  for (const std::string& word : words) {
    const bool general = word == "all" || word == "none" || word == "loopback";
    check.require(general || find_namespace(config, word) != nullptr, path,
                  "needs all, none, loopback or namespaces, and there is no '" + word + "'");
    check.require(general || right != "admin", path, "is for all namespaces or none: all, none or loopback");
    check.require(word != "none" || words.size() == 1, path, "says none, and more");
  }
}

void check_access(const Config& config, Checker& check) {
  const AnonymousConfig& anonymous = config.access.anonymous;
  check_anonymous(config, "read", anonymous.read, check);
  check_anonymous(config, "write", anonymous.write, check);
  check_anonymous(config, "replace", anonymous.replace, check);
  check_anonymous(config, "delete", anonymous.remove, check);
  check_anonymous(config, "admin", anonymous.admin, check);
  for (const std::string& line : config.access.users) {
    const auto grant = parse_grant(line);
    if (!grant) check.require(false, "access.users", grant.error().message());
    if (!grant) continue;
    for (const std::string& name : grant->where.names())
      check.require(find_namespace(config, name) != nullptr, "access.users",
                    "gives '" + grant->who + "' rights in '" + name + "', which is no namespace");
  }
  const auto is_file = [](const std::string& name) { return name.empty() || name.starts_with('/'); };
  check.require(is_file(config.access.htpasswd), "access.htpasswd", "needs an absolute path");
  check.require(is_file(config.access.tokens), "access.tokens", "needs an absolute path");
}

void check_log(const LogConfig& log, Checker& check) {
  constexpr std::array<std::string_view, 5> k_levels = {"trace", "debug", "info", "warning", "error"};
  check.require(std::find(k_levels.begin(), k_levels.end(), log.level) != k_levels.end(), "log.level",
                "needs one of trace, debug, info, warning, error, not '" + log.level + "'");
  check.require(!log.access.empty(), "log.access", "needs off, stderr or the name of a file");
}

}  // namespace

void check_config(ConfigResult& result) {
  Checker check(result);
  check_limits(result.config, check);
  check_ftp_limits(result.config.ftp, check);
  check_listeners(result.config, check);
  check_hashserv(result.config, check);
  check_tls(result.config, check);
  check_namespaces(result.config, check);
  check_overlays(result.config, check);
  check_access(result.config, check);
  check_log(result.config.log, check);
  for (const std::string& directory : result.config.adopt_from) {
    check.require(directory.starts_with('/'), "adopt_from",
                  "needs absolute directories, not '" + directory + "'");
  }
  for (const std::string& directory : result.config.checkout_to) {
    check.require(directory.starts_with('/'), "checkout_to",
                  "needs absolute directories, not '" + directory + "'");
  }
}

}  // namespace larder
