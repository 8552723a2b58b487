// The keys of the configuration, as a table: the file, the environment, flags and
// the test that reads config/larderd.yaml all go through it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.hpp"

namespace larder {

using ConfigValues = std::vector<std::string>;

enum class Takes { one_value, list };

// A key of Config, or of one entry of `namespaces`. set() changes nothing when
// it returns an error; the error says what the key needs, not which key it is.
template <typename Owner>
struct ConfigKey {
  std::string_view path;      // "http.idle_timeout"
  std::string_view variable;  // "LARDER_HTTP_IDLE_TIMEOUT"; empty: the file alone
  Takes takes = Takes::one_value;
  std::function<Result<void>(Owner&, const ConfigValues&)> set;
};

inline constexpr std::string_view k_namespaces_key = "namespaces";
inline constexpr std::string_view k_certificates_key = "tls.certificates";  // a list of sections, or of texts

// "FILE" or "FILE:KEY".
Result<CertificateConfig> parse_certificate(std::string_view text);

const std::vector<ConfigKey<Config>>& config_keys();  // all but `namespaces`
const std::vector<ConfigKey<NamespaceConfig>>& namespace_keys();

// The candidate a person most likely meant by `name`, or an empty view when none
// is near. A right last component in the wrong section counts as near.
std::string_view nearest(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace larder
