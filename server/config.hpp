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

// What those may do who do not say who they are; each a list of "all", "none", "loopback" (in all
// namespaces, from this machine) and names of namespaces. Empty: as `write` says.
struct AnonymousConfig {
  std::vector<std::string> read = {"all"};
  std::vector<std::string> write;
  std::vector<std::string> replace;
  std::vector<std::string> remove;  // the key is "delete"
  std::vector<std::string> admin;
  bool operator==(const AnonymousConfig&) const = default;
};

enum class StatusAccess { everybody, users, admin };  // who sees statistics and metrics

struct AccessConfig {
  AnonymousConfig anonymous;
  std::vector<std::string> users = {"others = read"};  // see parse_grant()
  std::string htpasswd;                                // a file; empty: none
  std::string tokens;                                  // a file; empty: <data>/access/tokens
  StatusAccess status = StatusAccess::everybody;
  bool operator==(const AccessConfig&) const = default;
};

// Where FTP listens, and what its passive replies call that address to peers that
// reach it by another one: "*:8421", "192.0.2.7:21 as 203.0.113.9".
struct FtpEndpoint {
  Endpoint endpoint;
  std::string passive_address;  // IPv4; empty: the address the peer connected to
  bool operator==(const FtpEndpoint&) const = default;
};
Result<FtpEndpoint> parse_ftp_endpoint(std::string_view text);
std::string to_string(const FtpEndpoint& endpoint);

// "50000-50099", "50000", or "0": any free port.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  bool any() const { return first == 0; }
  bool operator==(const PortRange&) const = default;
};
Result<PortRange> parse_port_range(std::string_view text);

// What goes when space is needed. By kind: shared state, which a build makes again; sources may be gone
// upstream.
enum class Eviction { by_kind, oldest, never };

struct NamespaceConfig {
  std::string name;
  NamespaceKind kind = NamespaceKind::generic;
  ByteSize max_size{0};                  // 0: only the disk is the limit
  ByteSize max_object_size{0};           // 0: the http limit holds alone
  std::chrono::milliseconds max_age{0};  // since last use; 0: any
  Eviction evict = Eviction::by_kind;
  std::string overlay;  // the namespace that is read where this one has nothing; empty: none
  bool operator==(const NamespaceConfig&) const = default;
};

enum class TlsVersion { v1_2, v1_3 };
enum class ClientCertificates { none, optional, required };

// PEM files: the certificate with those that lead to its authority, and its key; one
// file can be both. "FILE" and "FILE:KEY" where there is one value for it.
struct CertificateConfig {
  std::string certificate;
  std::string key;
  bool operator==(const CertificateConfig&) const = default;
};

struct TlsConfig {
  std::vector<CertificateConfig> certificates;
  TlsVersion min_version = TlsVersion::v1_2;
  ClientCertificates client_certificates = ClientCertificates::none;
  std::string client_ca;                                                   // who may vouch for clients
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);  // from the connection on
  bool kernel = false;  // encryption of what is sent, where the kernel can
  bool operator==(const TlsConfig&) const = default;
};

// Whether FTP clients can, or have to, ask for TLS before they log in.
enum class FtpTls { off, optional, required };

struct HttpConfig {
  std::vector<Endpoint> listen = {{"", 8480}};
  std::vector<Endpoint> listen_tls;  // https
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

struct FtpConfig {
  std::vector<FtpEndpoint> listen = {{{"", 8421}, ""}};              // empty: no FTP
  std::vector<FtpEndpoint> listen_tls;                               // ftps: TLS from the first byte on
  FtpTls tls = FtpTls::off;                                          // of `listen`, by AUTH
  bool require_session_reuse = true;                                 // of data connections under TLS
  PortRange passive_ports;                                           // of data connections the client opens
  std::chrono::milliseconds idle_timeout = std::chrono::minutes(5);  // between two commands
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);  // for a data connection to appear
  std::chrono::milliseconds data_timeout = std::chrono::seconds(60);     // without progress
  ByteSize min_rate = 1_KiB;  // a second, averaged; slower transfers are cut; 0: none is
  std::uint32_t max_sessions = 2048;
  std::uint32_t max_sessions_per_address = 512;
  bool operator==(const FtpConfig&) const = default;
};

// BitBake's hash equivalence protocol.
struct HashservConfig {
  std::vector<Endpoint> listen;  // empty: it is not spoken
  std::string name_space;        // the key is "namespace": whose rights hold; empty: see hashserv_namespace()
  std::chrono::milliseconds keep = std::chrono::days(180);          // what nobody asked for; 0: for good
  std::chrono::milliseconds idle_timeout = std::chrono::hours(24);  // between two requests
  std::uint32_t max_connections = 4096;
  std::uint32_t max_connections_per_address = 1024;
  bool operator==(const HashservConfig&) const = default;
};

struct ScrubConfig {
  ByteSize rate = 20_MiB;  // a second; 0: the daemon checks nothing by itself
  std::chrono::milliseconds period = std::chrono::hours(30 * 24);  // from the start of a pass to the next
  bool operator==(const ScrubConfig&) const = default;
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
  ByteSize free_space_floor = 1_GiB;                         // uploads get 507 below it
  std::uint32_t free_inode_floor = 10000;                    // likewise; 0: inodes are not looked at
  std::chrono::milliseconds lease = std::chrono::hours(12);  // what was asked for is not evicted so long
  std::chrono::milliseconds grace_period = std::chrono::hours(1);  // nor what was stored
  std::chrono::milliseconds trash_keep = std::chrono::days(7);     // how long a removal can be undone
  std::chrono::milliseconds ledger_keep = std::chrono::days(400);  // how long its lines are; 0: for good
  ByteSize index_cache = 64_MiB;
  ByteSize index_memory =
      1_GiB;  // of all names; more of them are looked up through index_cache; 0: so are all
  ByteSize content_memory = 256_MiB;   // of small objects that were read; 0: none are kept
  std::uint32_t content_files = 1000;  // open descriptors of larger ones; 0: none are kept
  std::uint32_t disk_threads = 16;
  std::uint32_t loops = 0;  // 0: one for each core
  WriteAccess write = WriteAccess::loopback;
  std::vector<std::string> adopt_from;   // directories the admin API may adopt below; empty: none
  std::vector<std::string> checkout_to;  // directories the admin API may make views below; empty: none
  bool allow_root = false;               // to run as root is meant
  bool sandbox = true;                   // reach no files but its own, where the kernel can see to that
  std::chrono::milliseconds shutdown_timeout = std::chrono::seconds(30);
  HttpConfig http;
  FtpConfig ftp;
  HashservConfig hashserv;
  TlsConfig tls;
  AccessConfig access;
  ScrubConfig scrub;
  LogConfig log;
  bool operator==(const Config&) const = default;
};

// Where the shared state is that hash equivalence is about: what `hashserv.namespace` says, or else the first
// namespace of that kind that is no lane. Empty: there is none.
std::string hashserv_namespace(const Config& config);

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
// but http.listen, ftp.listen and hashserv.listen, which are LARDER_LISTEN_HTTP, LARDER_LISTEN_FTP and
// LARDER_LISTEN_HASHSERV like their flags (and LARDER_LISTEN_HTTPS, LARDER_LISTEN_FTPS for listen_tls). Lists
// are separated by commas; namespaces come from the file alone. A variable that nearly names a key is a
// defect. Other ones are not ours, even with our prefix: Kubernetes sets LARDER_PORT and more for a service
// called larder, and the client has its own.
using Environment = std::function<std::vector<std::string>()>;  // "NAME=value" strings
void apply_environment(ConfigResult& result, const Environment& environment);

// One value by its key ("data", "http.listen"), from a flag: the same reading and
// the same messages as from the file. `source` is the flag as it was written.
void apply_setting(ConfigResult& result, std::string_view key, const std::vector<std::string>& values,
                   std::string_view source);

// Where a defect of `path` belongs: the place that set it, or "larderd".
ConfigDefect defect_at(const ConfigResult& result, const std::string& path, const std::string& message);

// What only the whole can show: duplicate namespaces or listeners, reserved
// names, limits of 0. Call last.
void check_config(ConfigResult& result);

}  // namespace larder
