#include "server/http/plain_request.hpp"

#include <algorithm>

#include "common/words.hpp"
#include "server/http/header_bytes.hpp"

namespace larder::http {
namespace {

// Cut off the front of `text`, if that is what it begins with.
template <std::size_t Size>
bool take(std::string_view& text, const char (&prefix)[Size]) {
  if (!text.starts_with(std::string_view(prefix, Size - 1))) return false;
  text.remove_prefix(Size - 1);
  return true;
}

// A name and a port; what else is a host, RequestParser knows.
bool is_usual_host(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':' || c == '[' || c == ']';
  });
}

// What says nothing about an artifact that is asked for as a whole.
bool is_idle_talk(std::string_view name) {
  switch (name.size()) {
    case 6: return is_same_word(name, "pragma");
    case 7: return is_same_word(name, "referer");
    case 10: return is_same_word(name, "user-agent");
    case 11: return is_same_word(name, "want-digest");
    case 13: return is_same_word(name, "cache-control");
    case 15: return is_same_word(name, "accept-encoding") || is_same_word(name, "accept-language");
    default: return false;
  }
}

class PlainReader {
 public:
  explicit PlainReader(PlainRequest& request) : request_(request) {}

  // False: not plain.
  bool take_field(std::string_view name, std::string_view value) {
    switch (name.size()) {
      case 4:
        if (has_host_ || !is_same_word(name, "host") || !is_usual_host(value)) return false;
        has_host_ = true;
        return true;
      case 6:
        if (!is_same_word(name, "accept")) break;
        return keep(request_.accept, value);
      case 10:
        if (!is_same_word(name, "connection")) break;
        return is_same_word(value, "keep-alive");
      case 13:
        if (!is_same_word(name, "authorization")) break;
        return keep(request_.authorization, value);
      default: break;
    }
    return is_idle_talk(name);
  }

  bool has_host() const { return has_host_; }

 private:
  // A field that comes twice is a list, which is no view.
  static bool keep(std::string_view& field, std::string_view value) {
    if (value.empty() || !field.empty()) return false;
    field = value;
    return true;
  }

  PlainRequest& request_;
  bool has_host_ = false;
};

}  // namespace

std::optional<PlainRequest> read_plain_request(std::string_view input, const HeaderLimits& limits) {
  std::string_view rest = input.substr(0, limits.block_bytes);
  PlainRequest request;
  if (take(rest, "HEAD "))
    request.method = Method::head;
  else if (!take(rest, "GET "))
    return std::nullopt;

  const char* const end = rest.data() + rest.size();
  const char* at = skip(k_visible, rest.data(), end);
  request.target = rest.substr(0, static_cast<std::size_t>(at - rest.data()));
  if (request.target.empty() || request.target.size() > limits.target_bytes) return std::nullopt;
  rest.remove_prefix(request.target.size());
  if (!take(rest, " HTTP/1.1\r\n")) return std::nullopt;

  PlainReader reader(request);
  while (!take(rest, "\r\n")) {
    at = skip(k_token, rest.data(), end);
    const std::string_view name = rest.substr(0, static_cast<std::size_t>(at - rest.data()));
    if (name.empty() || at == end || *at != ':') return std::nullopt;
    const char* const value = at + 1;
    at = skip(k_value, value, end);
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n') return std::nullopt;
    if (!reader.take_field(name, trimmed({value, static_cast<std::size_t>(at - value)}))) return std::nullopt;
    rest = {at + 2, static_cast<std::size_t>(end - at - 2)};
  }
  if (!reader.has_host()) return std::nullopt;
  request.size = static_cast<std::size_t>(rest.data() - input.data());
  return request;
}

}  // namespace larder::http
