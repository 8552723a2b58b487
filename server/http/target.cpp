#include "server/http/target.hpp"

#include <algorithm>

#include "common/percent.hpp"
#include "common/plain_bytes.hpp"

namespace larder::http {
namespace {

Error invalid(std::string_view why) {
  return Error(Errc::invalid_name, std::string(why));
}

// An escaped slash or NUL would say one thing to us and another to whoever
// passes the target on.
bool hides_slash_or_nul(std::string_view raw) {
  for (auto at = raw.find('%'); at != std::string_view::npos; at = raw.find('%', at + 1)) {
    const std::string_view escape = raw.substr(at + 1, 2);
    if (escape == "2f" || escape == "2F" || escape == "00") return true;
  }
  return false;
}

// Cuts the first component off `path`, and the slash behind it.
std::string take_component(std::string& path) {
  const auto slash = path.find('/');
  std::string first = path.substr(0, slash);
  path.erase(0, slash == std::string::npos ? slash : slash + 1);
  return first;
}

Error no_such_name(std::string_view name) {
  return Error(Errc::not_found, "nothing is called /" + std::string(name));
}

// `path` has lost its leading slash and the one behind it; no component is empty.
Result<Target> classify(Target target) {
  target.name_space = take_component(target.path);
  if (target.name_space.starts_with('@')) {
    target.snapshot = target.name_space.substr(1);
    if (!is_snapshot_name(target.snapshot)) return no_such_name(target.name_space);
    const std::string frozen = take_component(target.path);
    target.kind = Target::Kind::snapshot;
    if (frozen.empty()) {
      target.name_space.clear();
      return target;
    }
    if (!is_namespace_name(frozen)) return no_such_name(frozen);
    target.name_space += "/" + frozen;
  } else if (!is_namespace_name(target.name_space)) {
    return no_such_name(target.name_space);
  }
  const bool directory = target.path.empty() || target.trailing_slash;
  target.kind = directory ? Target::Kind::listing : Target::Kind::artifact;
  return target;
}

int value_of_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Up to an escape, a query or a fragment. There is room for as much at `to` as there is at `at`.
void copy_unescaped(const char*& at, const char* end, char*& to) {
  while (end - at >= static_cast<std::ptrdiff_t>(sizeof(ByteWord))) {
    const ByteWord word = load_bytes(at);
    std::memcpy(to, &word, sizeof word);
    const std::size_t count = bytes_before(marks_of(word, '%') | marks_of(word, '?') | marks_of(word, '#'));
    at += count;
    to += count;
    if (count < sizeof word) return;
  }
  while (at != end && *at != '%' && *at != '?' && *at != '#') *to++ = *at++;
}

std::string form_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? value_of_hex(text[i + 1]) : -1;
    const int low = high >= 0 ? value_of_hex(text[i + 2]) : -1;
    if (low >= 0) {
      decoded.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      decoded.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return decoded;
}

}  // namespace

Result<Target> parse_target(std::string_view raw) {
  if (raw.size() > k_max_target) return invalid("the request target is longer than 8 KiB");
  if (!raw.starts_with('/')) return invalid("the request target does not start with a slash");
  if (raw.find('#') != std::string_view::npos)
    return invalid("the request target has a fragment ('#'); write %23");

  Target target;
  const auto question = raw.find('?');
  if (question != std::string_view::npos) target.query.assign(raw.substr(question + 1));

  std::string_view encoded = raw.substr(1, question == std::string_view::npos ? question : question - 1);
  if (encoded.empty()) {
    target.trailing_slash = true;
    return target;
  }
  if (encoded.ends_with('/')) {
    target.trailing_slash = true;
    encoded.remove_suffix(1);
  }
  if (hides_slash_or_nul(encoded)) return invalid("the request target has an escaped slash or NUL");
  auto decoded = percent_decode(encoded);
  if (!decoded) return invalid("the request target has a '%' without two hexadecimal digits behind it");
  const std::string_view defect = path_defect(*decoded);
  if (!defect.empty()) return invalid("a name cannot have " + std::string(defect));

  target.path = std::move(*decoded);
  if (target.path == "-" || target.path.starts_with("-/")) {
    target.kind = Target::Kind::admin;
    target.path.insert(0, 1, '/');
    return target;
  }
  return classify(std::move(target));
}

std::optional<KeyView> plain_artifact(std::string_view raw, std::string& room) {
  if (raw.size() < 2 || raw.size() > k_max_target || raw.front() != '/' || raw.back() == '/')
    return std::nullopt;
  raw.remove_prefix(1);
  room.resize(raw.size());
  char* to = room.data();
  const char* at = raw.data();
  const char* const end = at + raw.size();
  while (true) {
    copy_unescaped(at, end, to);
    if (at == end) break;
    const int high = *at == '%' && end - at > 2 ? value_of_hex(at[1]) : -1;
    const int low = high >= 0 ? value_of_hex(at[2]) : -1;
    const char c = static_cast<char>(high * 16 + low);
    if (low < 0 || c == '/' || c == '\0') return std::nullopt;
    *to++ = c;
    at += 3;
  }
  return KeyView::of_live({room.data(), static_cast<std::size_t>(to - room.data())});
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto ampersand = query.find('&');
    const std::string_view pair = query.substr(0, ampersand);
    const auto equals = pair.find('=');
    if (form_decoded(pair.substr(0, equals)) == name)
      return equals == std::string_view::npos ? std::string() : form_decoded(pair.substr(equals + 1));
    if (ampersand == std::string_view::npos) break;
    query.remove_prefix(ampersand + 1);
  }
  return std::nullopt;
}

}  // namespace larder::http
