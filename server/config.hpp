// The daemon's configuration: config/larderd.yaml, LARDER_… in the environment
// and flags, in rising order of precedence. Every default stands here, once.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/namespace_kind.hpp"
#include "common/result.hpp"
#include "common/units.hpp"

namespace larder {

enum class Durability {
  each,   // every acknowledged object was synced on its own
  batch,  // the same promise; acknowledgements wait to share a sync
  none,   // survives kill -9, not a power cut
};

std::string_view name_of(Durability durability);
std::optional<Durability> durability(std::string_view name);

// "127.0.0.1:8480", "[::1]:8480", ":8480" and "*:8480" (every address of both families).
struct Endpoint {
  std::string address;  // empty: every address
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};
Result<Endpoint> parse_endpoint(std::string_view text);
std::string to_string(const Endpoint& endpoint);

enum class WriteAccess { nobody, loopback, everybody };

struct NamespaceConfig {
  std::string name;
  NamespaceKind kind = NamespaceKind::generic;
  ByteSize max_size{0};         // 0: only the disk is the limit
  ByteSize max_object_size{0};  // 0: the http limit holds alone
  bool operator==(const NamespaceConfig&) const = default;
};

struct HttpConfig {
  std::vector<Endpoint> listen = {{"", 8480}};
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(120);
  std::chrono::milliseconds header_timeout = std::chrono::seconds(30);
  std::chrono::milliseconds body_timeout = std::chrono::seconds(60);  // without progress
  ByteSize min_rate = 1_KiB;          // a second, averaged; slower transfers are cut; 0: none is
  ByteSize max_header_size = 16_KiB;  // at most 64 KiB
  ByteSize max_object_size = 64_GiB;
  std::uint32_t max_connections = 8192;
  std::uint32_t max_connections_per_address = 4096;
  bool operator==(const HttpConfig&) const = default;
};

enum class LogFormat { automatic, text, json };  // automatic: text on a terminal

struct LogConfig {
  std::string level = "info";  // trace, debug, info, warning, error
  LogFormat format = LogFormat::automatic;
  std::string file;               // empty: standard error
  std::string access = "stderr";  // "off", "stderr" or a file
  bool operator==(const LogConfig&) const = default;
};

struct Config {
  std::filesystem::path data = "/var/lib/larder";
  std::vector<NamespaceConfig> namespaces = {
      {"sstate-cache", NamespaceKind::sstate},
      {"downloads", NamespaceKind::downloads},
  };
  Durability durability = Durability::batch;
  ByteSize free_space_floor = 1_GiB;  // uploads get 507 below it
  ByteSize index_cache = 64_MiB;
  std::uint32_t disk_threads = 16;
  std::uint32_t loops = 0;  // 0: one for each core
  WriteAccess write = WriteAccess::loopback;
  std::vector<std::string> adopt_from;  // directories the admin API may adopt below; empty: none
  std::chrono::milliseconds shutdown_timeout = std::chrono::seconds(30);
  HttpConfig http;
  LogConfig log;
  bool operator==(const Config&) const = default;
};

// One thing wrong with a configuration, and where: "larderd.yaml:12: …".
struct ConfigDefect {
  std::string source;  // file name, variable or flag
  int line = 0;        // 1-based; 0 when there is none
  std::string message;
};
std::string to_string(const ConfigDefect& defect);

// Where a value came from, so that a contradiction found late still names its line.
struct ConfigOrigin {
  std::string source;  // as in ConfigDefect
  int line = 0;
};

// All defects at once, never only the first: unknown keys (with the nearest
// known one), bad values, contradictions.
struct ConfigResult {
  Config config;
  std::vector<ConfigDefect> defects;
  std::map<std::string, ConfigOrigin> origins;  // by key; only of what is not a default
};

ConfigResult parse_config(std::string_view yaml, std::string_view source);
ConfigResult load_config(const std::filesystem::path& file);

// LARDER_DATA, LARDER_HTTP_IDLE_TIMEOUT, …: every key by its path in upper case,
// but http.listen, which is LARDER_LISTEN_HTTP like its flag. Lists are separated
// by commas; namespaces come from the file alone. A variable that nearly names a
// key is a defect. Other ones are not ours, even with our prefix: Kubernetes sets
// LARDER_PORT and more for a service called larder, and the client has its own.
using Environment = std::function<std::vector<std::string>()>;  // "NAME=value" strings
void apply_environment(ConfigResult& result, const Environment& environment);

// One value by its key ("data", "http.listen"), from a flag: the same reading and
// the same messages as from the file. `source` is the flag as it was written.
void apply_setting(ConfigResult& result, std::string_view key, const std::vector<std::string>& values,
                   std::string_view source);

// What only the whole can show: duplicate namespaces or listeners, reserved
// names, limits of 0. Call last.
void check_config(ConfigResult& result);

}  // namespace larder
