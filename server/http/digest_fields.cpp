#include "server/http/digest_fields.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "common/words.hpp"

namespace larder::http {
namespace {

Error unreadable(std::string_view field) {
  return Error(Errc::invalid_argument, "the SHA-256 in " + std::string(field) + " cannot be read");
}

// Takes the next member of a comma-separated list, looking past quoted strings
// and inner lists, both of which may hold commas.
std::string_view take_member(std::string_view& list) {
  bool quoted = false;
  int depth = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const char c = list[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '(' || c == ')')) {
      depth += c == '(' ? 1 : -1;
    } else if (!quoted && depth <= 0 && c == ',') {
      const std::string_view member = list.substr(0, i);
      list.remove_prefix(i + 1);
      return trimmed(member);
    }
  }
  const std::string_view member = list;
  list = {};
  return trimmed(member);
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

// Collects what the fields say, as long as they agree.
class Declaration {
 public:
  // A dictionary of structured fields: sha-256=:BASE64:;parameters, other=…
  Result<void> add_dictionary(std::string_view field, std::string_view list) {
    while (!list.empty()) {
      const std::string_view member = take_member(list);
      constexpr std::string_view k_key = "sha-256";
      if (!member.starts_with(k_key)) continue;
      std::string_view value = member.substr(k_key.size());
      if (!value.empty() && value.front() != '=' && value.front() != ';') continue;  // another, longer key
      value = trimmed(value.substr(0, value.find(';')));
      if (value.size() < 3 || !value.starts_with("=:") || !value.ends_with(':')) return unreadable(field);
      LARDER_TRY(add(field, base64(value.substr(2, value.size() - 3))));
    }
    return {};
  }

  // SHA-256=BASE64,other=…; names of algorithms have no case.
  Result<void> add_instance_digests(std::string_view field, std::string_view list) {
    while (!list.empty()) {
      const std::string_view member = take_member(list);
      const auto equals = member.find('=');
      if (!equals_ignoring_case(member.substr(0, equals), "sha-256")) continue;
      if (equals == std::string_view::npos) return unreadable(field);
      LARDER_TRY(add(field, base64(member.substr(equals + 1))));
    }
    return {};
  }

  Result<void> add(std::string_view field, std::optional<Digest> digest) {
    if (!digest) return unreadable(field);
    if (digest_ && *digest_ != *digest)
      return Error(Errc::invalid_argument, "the declared digests contradict each other");
    digest_ = digest;
    return {};
  }

  std::optional<Digest> digest() const { return digest_; }

 private:
  // Padding may be missing (RFC 8941, section 4.2.7).
  static std::optional<Digest> base64(std::string_view text) {
    constexpr std::size_t k_unpadded = 43;
    if (text.size() == k_unpadded) return Digest::from_base64(std::string(text) + "=");
    return Digest::from_base64(text);
  }

  std::optional<Digest> digest_;
};

}  // namespace

Result<std::optional<Digest>> declared_digest(const Request& request) {
  Declaration declaration;
  LARDER_TRY(declaration.add_dictionary("Repr-Digest", request.repr_digest));
  LARDER_TRY(declaration.add_dictionary("Content-Digest", request.content_digest));
  LARDER_TRY(declaration.add_instance_digests("Digest", request.digest));
  if (!request.x_checksum_sha256.empty())
    LARDER_TRY(declaration.add("X-Checksum-Sha256", Digest::from_hex(request.x_checksum_sha256)));
  return declaration.digest();
}

}  // namespace larder::http
