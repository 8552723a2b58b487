#include "server/config_keys.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>

namespace larder {

std::string_view name_of(Durability durability) {
  switch (durability) {
    case Durability::each: return "each";
    case Durability::batch: return "batch";
    case Durability::none: return "none";
  }
  return "unknown";
}

std::optional<Durability> durability(std::string_view name) {
  for (const Durability each : {Durability::each, Durability::batch, Durability::none}) {
    if (name == name_of(each)) return each;
  }
  return std::nullopt;
}

namespace {

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> unused;
  if (::inet_pton(AF_INET, text.c_str(), unused.data()) == 1) return true;
  // A scope ("fe80::1%eth0") is for the system to judge when it listens.
  const std::string unscoped = text.substr(0, text.find('%'));
  return ::inet_pton(AF_INET6, unscoped.c_str(), unused.data()) == 1;
}

Error needs(std::string_view what, std::string_view given) {
  std::string message = "needs ";
  message.append(what).append(", not '").append(given).append("'");
  return Error(Errc::invalid_argument, std::move(message));
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  constexpr std::string_view k_forms = "an address and a port such as 127.0.0.1:8480, [::1]:8480 or *:8480";
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return needs(k_forms, text);

  Endpoint endpoint;
  if (!parse_number(text.substr(colon + 1), endpoint.port)) return needs(k_forms, text);

  std::string_view address = text.substr(0, colon);
  if (address.empty() || address == "*") return endpoint;
  const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) address = address.substr(1, address.size() - 2);
  endpoint.address = address;
  const bool version_six = address.find(':') != std::string_view::npos;
  if (version_six != bracketed || !is_address(endpoint.address)) return needs(k_forms, text);
  return endpoint;
}

std::string to_string(const Endpoint& endpoint) {
  const bool version_six = endpoint.address.find(':') != std::string::npos;
  std::string text = endpoint.address.empty() ? "*" : endpoint.address;
  if (version_six) text = "[" + text + "]";
  return text + ":" + std::to_string(endpoint.port);
}

Result<FtpEndpoint> parse_ftp_endpoint(std::string_view text) {
  FtpEndpoint parsed;
  const auto as = text.find(" as ");
  LARDER_TRY_ASSIGN(parsed.endpoint, parse_endpoint(text.substr(0, as)));
  if (as == std::string_view::npos) return parsed;
  parsed.passive_address = text.substr(as + 4);
  in_addr unused{};
  if (::inet_pton(AF_INET, parsed.passive_address.c_str(), &unused) != 1)
    return needs("an IPv4 address behind 'as'", parsed.passive_address);
  return parsed;
}

std::string to_string(const FtpEndpoint& endpoint) {
  const std::string text = to_string(endpoint.endpoint);
  return endpoint.passive_address.empty() ? text : text + " as " + endpoint.passive_address;
}

Result<PortRange> parse_port_range(std::string_view text) {
  constexpr std::string_view k_forms = "ports such as 50000-50099, or 0 for any free one";
  PortRange range;
  const auto dash = text.find('-');
  if (!parse_number(text.substr(0, dash), range.first)) return needs(k_forms, text);
  range.last = range.first;
  if (dash != std::string_view::npos && !parse_number(text.substr(dash + 1), range.last))
    return needs(k_forms, text);
  if (range.last < range.first || (range.first == 0 && range.last != 0)) return needs(k_forms, text);
  return range;
}

Result<CertificateConfig> parse_certificate(std::string_view text) {
  const auto colon = text.find(':');
  CertificateConfig files;
  files.certificate = text.substr(0, colon);
  files.key = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (files.certificate.empty() || files.key.empty())
    return needs("files such as /etc/larder/cert.pem:/etc/larder/key.pem, or one that holds both", text);
  return files;
}

namespace {

// read(text, field): one overload for each type a key may have.

Result<void> read(std::string_view text, std::string& field) {
  field = text;
  return {};
}

Result<void> read(std::string_view text, std::filesystem::path& field) {
  if (text.empty()) return Error(Errc::invalid_argument, "needs a directory");
  field = text;
  return {};
}

Result<void> read(std::string_view text, ByteSize& field) {
  const auto size = parse_byte_size(text);
  if (!size) return needs("a size such as 4096, 64KiB or 200GiB", text);
  field = *size;
  return {};
}

Result<void> read(std::string_view text, std::chrono::milliseconds& field) {
  const auto duration = parse_duration(text);
  if (!duration) return needs("a duration such as 500ms, 30s, 15m or 14d", text);
  field = *duration;
  return {};
}

Result<void> read(std::string_view text, bool& field) {
  if (text != "true" && text != "false") return needs("true or false", text);
  field = text == "true";
  return {};
}

Result<void> read(std::string_view text, std::uint32_t& field) {
  if (!parse_number(text, field)) return needs("a whole number from 0 to 4294967295", text);
  return {};
}

Result<void> read(std::string_view text, Endpoint& field) {
  auto endpoint = parse_endpoint(text);
  if (!endpoint) return endpoint.error();
  field = *endpoint;
  return {};
}

Result<void> read(std::string_view text, FtpEndpoint& field) {
  LARDER_TRY_ASSIGN(field, parse_ftp_endpoint(text));
  return {};
}

Result<void> read(std::string_view text, PortRange& field) {
  LARDER_TRY_ASSIGN(field, parse_port_range(text));
  return {};
}

template <typename Value, std::size_t N>
using Choices = std::array<std::pair<std::string_view, Value>, N>;

template <typename Value, std::size_t N>
Result<void> choose(std::string_view text, const Choices<Value, N>& choices, Value& field) {
  std::string names;
  for (const auto& [name, value] : choices) {
    if (text == name) {
      field = value;
      return {};
    }
    names.append(names.empty() ? "" : ", ").append(name);
  }
  return needs("one of " + names, text);
}

Result<void> read(std::string_view text, Durability& field) {
  constexpr Choices<Durability, 3> k_choices = {
      {{"each", Durability::each}, {"batch", Durability::batch}, {"none", Durability::none}}};
  return choose(text, k_choices, field);
}

Result<void> read(std::string_view text, WriteAccess& field) {
  constexpr Choices<WriteAccess, 3> k_choices = {{{"nobody", WriteAccess::nobody},
                                                  {"loopback", WriteAccess::loopback},
                                                  {"everybody", WriteAccess::everybody}}};
  return choose(text, k_choices, field);
}

Result<void> read(std::string_view text, StatusAccess& field) {
  constexpr Choices<StatusAccess, 3> k_choices = {{{"everybody", StatusAccess::everybody},
                                                   {"users", StatusAccess::users},
                                                   {"admin", StatusAccess::admin}}};
  return choose(text, k_choices, field);
}

Result<void> read(std::string_view text, Eviction& field) {
  constexpr Choices<Eviction, 3> k_choices = {
      {{"by-kind", Eviction::by_kind}, {"oldest", Eviction::oldest}, {"never", Eviction::never}}};
  return choose(text, k_choices, field);
}

Result<void> read(std::string_view text, TlsVersion& field) {
  constexpr Choices<TlsVersion, 2> k_choices = {{{"1.2", TlsVersion::v1_2}, {"1.3", TlsVersion::v1_3}}};
  return choose(text, k_choices, field);
}

Result<void> read(std::string_view text, ClientCertificates& field) {
  constexpr Choices<ClientCertificates, 3> k_choices = {{{"none", ClientCertificates::none},
                                                         {"optional", ClientCertificates::optional},
                                                         {"required", ClientCertificates::required}}};
  return choose(text, k_choices, field);
}

Result<void> read(std::string_view text, FtpTls& field) {
  constexpr Choices<FtpTls, 3> k_choices = {
      {{"off", FtpTls::off}, {"optional", FtpTls::optional}, {"required", FtpTls::required}}};
  return choose(text, k_choices, field);
}

Result<void> read(std::string_view text, CertificateConfig& field) {
  LARDER_TRY_ASSIGN(field, parse_certificate(text));
  return {};
}

Result<void> read(std::string_view text, LogFormat& field) {
  constexpr Choices<LogFormat, 3> k_choices = {
      {{"automatic", LogFormat::automatic}, {"text", LogFormat::text}, {"json", LogFormat::json}}};
  return choose(text, k_choices, field);
}

Result<void> read(std::string_view text, NamespaceKind& field) {
  constexpr Choices<NamespaceKind, 3> k_choices = {{{"sstate", NamespaceKind::sstate},
                                                    {"downloads", NamespaceKind::downloads},
                                                    {"generic", NamespaceKind::generic}}};
  return choose(text, k_choices, field);
}

template <typename Field>
Result<void> read_all(const ConfigValues& values, Field& field) {
  if (values.size() != 1) return Error(Errc::invalid_argument, "takes one value, not a list");
  return read(values.front(), field);
}

template <typename Element>
Result<void> read_all(const ConfigValues& values, std::vector<Element>& field) {
  std::vector<Element> elements;
  for (const std::string& value : values) {
    Element element;
    LARDER_TRY(read(value, element));
    elements.push_back(std::move(element));
  }
  field = std::move(elements);
  return {};
}

template <typename Field>
constexpr Takes takes(const Field*) {
  return Takes::one_value;
}
template <typename Element>
constexpr Takes takes(const std::vector<Element>*) {
  return Takes::list;
}

// key<Config>("http.idle_timeout", variable, &Config::http, &HttpConfig::idle_timeout)
template <typename Owner, typename... Member>
ConfigKey<Owner> key(std::string_view path, std::string_view variable, Member... member) {
  using Field = std::remove_reference_t<decltype((std::declval<Owner&>().*....*member))>;
  const auto set = [member...](Owner& owner, const ConfigValues& values) {
    return read_all(values, (owner.*....*member));
  };
  return {path, variable, takes(static_cast<const Field*>(nullptr)), set};
}

}  // namespace

const std::vector<ConfigKey<Config>>& config_keys() {
  using C = Config;
  using H = HttpConfig;
  using F = FtpConfig;
  using E = HashservConfig;
  using T = TlsConfig;
  using A = AccessConfig;
  using N = AnonymousConfig;
  using S = ScrubConfig;
  using L = LogConfig;
  static const std::vector<ConfigKey<Config>> k_keys = {
      key<C>("data", "LARDER_DATA", &C::data),
      key<C>("durability", "LARDER_DURABILITY", &C::durability),
      key<C>("free_space_floor", "LARDER_FREE_SPACE_FLOOR", &C::free_space_floor),
      key<C>("free_inode_floor", "LARDER_FREE_INODE_FLOOR", &C::free_inode_floor),
      key<C>("lease", "LARDER_LEASE", &C::lease),
      key<C>("grace_period", "LARDER_GRACE_PERIOD", &C::grace_period),
      key<C>("trash_keep", "LARDER_TRASH_KEEP", &C::trash_keep),
      key<C>("ledger_keep", "LARDER_LEDGER_KEEP", &C::ledger_keep),
      key<C>("index_cache", "LARDER_INDEX_CACHE", &C::index_cache),
      key<C>("index_memory", "LARDER_INDEX_MEMORY", &C::index_memory),
      key<C>("content_memory", "LARDER_CONTENT_MEMORY", &C::content_memory),
      key<C>("content_files", "LARDER_CONTENT_FILES", &C::content_files),
      key<C>("disk_threads", "LARDER_DISK_THREADS", &C::disk_threads),
      key<C>("loops", "LARDER_LOOPS", &C::loops),
      key<C>("write", "LARDER_WRITE", &C::write),
      key<C>("adopt_from", "LARDER_ADOPT_FROM", &C::adopt_from),
      key<C>("checkout_to", "LARDER_CHECKOUT_TO", &C::checkout_to),
      key<C>("allow_root", "LARDER_ALLOW_ROOT", &C::allow_root),
      key<C>("sandbox", "LARDER_SANDBOX", &C::sandbox),
      key<C>("shutdown_timeout", "LARDER_SHUTDOWN_TIMEOUT", &C::shutdown_timeout),
      key<C>("http.listen", "LARDER_LISTEN_HTTP", &C::http, &H::listen),
      key<C>("http.listen_tls", "LARDER_LISTEN_HTTPS", &C::http, &H::listen_tls),
      key<C>("http.idle_timeout", "LARDER_HTTP_IDLE_TIMEOUT", &C::http, &H::idle_timeout),
      key<C>("http.header_timeout", "LARDER_HTTP_HEADER_TIMEOUT", &C::http, &H::header_timeout),
      key<C>("http.body_timeout", "LARDER_HTTP_BODY_TIMEOUT", &C::http, &H::body_timeout),
      key<C>("http.min_rate", "LARDER_HTTP_MIN_RATE", &C::http, &H::min_rate),
      key<C>("http.max_header_size", "LARDER_HTTP_MAX_HEADER_SIZE", &C::http, &H::max_header_size),
      key<C>("http.max_object_size", "LARDER_HTTP_MAX_OBJECT_SIZE", &C::http, &H::max_object_size),
      key<C>("http.max_connections", "LARDER_HTTP_MAX_CONNECTIONS", &C::http, &H::max_connections),
      key<C>("http.max_connections_per_address", "LARDER_HTTP_MAX_CONNECTIONS_PER_ADDRESS", &C::http,
             &H::max_connections_per_address),
      key<C>("ftp.listen", "LARDER_LISTEN_FTP", &C::ftp, &F::listen),
      key<C>("ftp.listen_tls", "LARDER_LISTEN_FTPS", &C::ftp, &F::listen_tls),
      key<C>("ftp.tls", "LARDER_FTP_TLS", &C::ftp, &F::tls),
      key<C>("ftp.require_session_reuse", "LARDER_FTP_REQUIRE_SESSION_REUSE", &C::ftp,
             &F::require_session_reuse),
      key<C>("ftp.passive_ports", "LARDER_FTP_PASSIVE_PORTS", &C::ftp, &F::passive_ports),
      key<C>("ftp.idle_timeout", "LARDER_FTP_IDLE_TIMEOUT", &C::ftp, &F::idle_timeout),
      key<C>("ftp.connect_timeout", "LARDER_FTP_CONNECT_TIMEOUT", &C::ftp, &F::connect_timeout),
      key<C>("ftp.data_timeout", "LARDER_FTP_DATA_TIMEOUT", &C::ftp, &F::data_timeout),
      key<C>("ftp.min_rate", "LARDER_FTP_MIN_RATE", &C::ftp, &F::min_rate),
      key<C>("ftp.max_sessions", "LARDER_FTP_MAX_SESSIONS", &C::ftp, &F::max_sessions),
      key<C>("ftp.max_sessions_per_address", "LARDER_FTP_MAX_SESSIONS_PER_ADDRESS", &C::ftp,
             &F::max_sessions_per_address),
      key<C>("hashserv.listen", "LARDER_LISTEN_HASHSERV", &C::hashserv, &E::listen),
      key<C>("hashserv.namespace", "LARDER_HASHSERV_NAMESPACE", &C::hashserv, &E::name_space),
      key<C>("hashserv.keep", "LARDER_HASHSERV_KEEP", &C::hashserv, &E::keep),
      key<C>("hashserv.idle_timeout", "LARDER_HASHSERV_IDLE_TIMEOUT", &C::hashserv, &E::idle_timeout),
      key<C>("hashserv.max_connections", "LARDER_HASHSERV_MAX_CONNECTIONS", &C::hashserv,
             &E::max_connections),
      key<C>("hashserv.max_connections_per_address", "LARDER_HASHSERV_MAX_CONNECTIONS_PER_ADDRESS",
             &C::hashserv, &E::max_connections_per_address),
      key<C>(k_certificates_key, "LARDER_TLS_CERTIFICATES", &C::tls, &T::certificates),
      key<C>("tls.min_version", "LARDER_TLS_MIN_VERSION", &C::tls, &T::min_version),
      key<C>("tls.client_certificates", "LARDER_TLS_CLIENT_CERTIFICATES", &C::tls, &T::client_certificates),
      key<C>("tls.client_ca", "LARDER_TLS_CLIENT_CA", &C::tls, &T::client_ca),
      key<C>("tls.handshake_timeout", "LARDER_TLS_HANDSHAKE_TIMEOUT", &C::tls, &T::handshake_timeout),
      key<C>("tls.kernel", "LARDER_TLS_KERNEL", &C::tls, &T::kernel),
      key<C>("access.anonymous.read", "LARDER_ACCESS_ANONYMOUS_READ", &C::access, &A::anonymous, &N::read),
      key<C>("access.anonymous.write", "LARDER_ACCESS_ANONYMOUS_WRITE", &C::access, &A::anonymous, &N::write),
      key<C>("access.anonymous.replace", "LARDER_ACCESS_ANONYMOUS_REPLACE", &C::access, &A::anonymous,
             &N::replace),
      key<C>("access.anonymous.delete", "LARDER_ACCESS_ANONYMOUS_DELETE", &C::access, &A::anonymous,
             &N::remove),
      key<C>("access.anonymous.admin", "LARDER_ACCESS_ANONYMOUS_ADMIN", &C::access, &A::anonymous, &N::admin),
      key<C>("access.users", "LARDER_ACCESS_USERS", &C::access, &A::users),
      key<C>("access.htpasswd", "LARDER_ACCESS_HTPASSWD", &C::access, &A::htpasswd),
      key<C>("access.tokens", "LARDER_ACCESS_TOKENS", &C::access, &A::tokens),
      key<C>("access.status", "LARDER_ACCESS_STATUS", &C::access, &A::status),
      key<C>("scrub.rate", "LARDER_SCRUB_RATE", &C::scrub, &S::rate),
      key<C>("scrub.period", "LARDER_SCRUB_PERIOD", &C::scrub, &S::period),
      key<C>("log.level", "LARDER_LOG_LEVEL", &C::log, &L::level),
      key<C>("log.format", "LARDER_LOG_FORMAT", &C::log, &L::format),
      key<C>("log.file", "LARDER_LOG_FILE", &C::log, &L::file),
      key<C>("log.access", "LARDER_LOG_ACCESS", &C::log, &L::access),
  };
  return k_keys;
}

const std::vector<ConfigKey<NamespaceConfig>>& namespace_keys() {
  using N = NamespaceConfig;
  static const std::vector<ConfigKey<NamespaceConfig>> k_keys = {
      key<N>("name", "", &N::name),         key<N>("kind", "", &N::kind),
      key<N>("max_size", "", &N::max_size), key<N>("max_object_size", "", &N::max_object_size),
      key<N>("max_age", "", &N::max_age),   key<N>("evict", "", &N::evict),
      key<N>("overlay", "", &N::overlay),
  };
  return k_keys;
}

namespace {

// Levenshtein: insertions, removals and replacements that turn one into the other.
std::size_t edit_distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < one.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < other.size(); ++j) {
      const std::size_t replaced = diagonal + (one[i] == other[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string_view last_component(std::string_view path) {
  return path.substr(path.rfind('.') + 1);
}

}  // namespace

std::string_view nearest(std::string_view name, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string_view candidate : candidates) {
    const std::size_t whole = edit_distance(name, candidate);
    const std::size_t elsewhere = edit_distance(last_component(name), last_component(candidate)) + 1;
    const std::size_t distance = std::min(whole, elsewhere);
    const std::size_t tolerance = std::max<std::size_t>(2, last_component(candidate).size() / 3);
    if (distance > tolerance || distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

}  // namespace larder
