#include "server/http/conditional.hpp"

#include "server/http/date.hpp"

namespace larder::http {
namespace {

enum class Comparison { strong, weak };  // RFC 9110, section 8.8.3.2

struct EntityTag {
  bool weak = false;
  std::string_view value;  // between the quotes
};

void skip_separators(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == ','))
    text.remove_prefix(1);
}

// Takes one entity tag off the front; nullopt when there is none, which ends
// a list: what cannot be read matches nothing.
std::optional<EntityTag> take_tag(std::string_view& text) {
  EntityTag tag;
  if (text.starts_with("W/")) {
    tag.weak = true;
    text.remove_prefix(2);
  }
  if (!text.starts_with('"')) return std::nullopt;
  const auto end = text.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  tag.value = text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  return tag;
}

bool matches(const EntityTag& tag, std::string_view etag, Comparison comparison) {
  if (tag.weak && comparison == Comparison::strong) return false;
  return tag.value == etag;
}

// Whether a list of entity tags, or "*", covers what is there.
bool covers(std::string_view list, const std::optional<Validators>& current, Comparison comparison) {
  if (!current) return false;
  if (list == "*") return true;
  while (true) {
    skip_separators(list);
    const auto tag = take_tag(list);
    if (!tag) return false;
    if (matches(*tag, current->etag, comparison)) return true;
  }
}

bool reads(Method method) {
  return method == Method::get || method == Method::head;
}

bool changed_since(std::string_view date_text, const std::optional<Validators>& current, bool otherwise) {
  const auto date = parse_http_date(date_text);
  if (!date || !current) return otherwise;  // a date that is none is to be ignored
  return current->last_modified > *date;
}

}  // namespace

std::string quoted_etag(std::string_view etag) {
  std::string text;
  text.reserve(etag.size() + 2);
  text.append("\"").append(etag).append("\"");
  return text;
}

bool has_preconditions(const Request& request) {
  return !request.if_match.empty() || !request.if_unmodified_since.empty() ||
         (!request.if_none_match.empty() && request.if_none_match != "*");
}

Precondition evaluate(const Request& request, const std::optional<Validators>& current) {
  if (!request.if_match.empty()) {
    if (!covers(request.if_match, current, Comparison::strong)) return Precondition::failed;
  } else if (!request.if_unmodified_since.empty()) {
    if (changed_since(request.if_unmodified_since, current, false)) return Precondition::failed;
  }
  if (!request.if_none_match.empty()) {
    if (!covers(request.if_none_match, current, Comparison::weak)) return Precondition::proceed;
    return reads(request.method) ? Precondition::not_modified : Precondition::failed;
  }
  if (!request.if_modified_since.empty() && reads(request.method)) {
    if (!changed_since(request.if_modified_since, current, true)) return Precondition::not_modified;
  }
  return Precondition::proceed;
}

bool range_applies(const Request& request, const Validators& current) {
  if (request.range.empty()) return false;
  if (request.if_range.empty()) return true;
  std::string_view text = request.if_range;
  if (text.starts_with('"') || text.starts_with("W/")) {
    const auto tag = take_tag(text);
    return tag && text.empty() && matches(*tag, current.etag, Comparison::strong);
  }
  const auto date = parse_http_date(text);
  return date && *date == current.last_modified;
}

}  // namespace larder::http
