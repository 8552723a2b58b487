#include "server/http/multistatus.hpp"

#include "common/percent.hpp"
#include "server/http/date.hpp"

namespace larder::http {
namespace {

constexpr std::string_view k_begin =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n";
constexpr std::string_view k_end = "</D:multistatus>\n";

void append_property(std::string& xml, std::string_view name, std::string_view value) {
  xml.append("<D:").append(name).append(">").append(value).append("</D:").append(name).append(">");
}

// Nothing in it needs escaping: an encoded path has neither "&" nor "<", and of a name nothing else is told.
void append_resource(std::string& xml, std::string_view path, const api::ListingEntry& entry) {
  xml.append("<D:response><D:href>").append(percent_encode(path)).append("</D:href><D:propstat><D:prop>");
  if (entry.directory) {
    append_property(xml, "resourcetype", "<D:collection/>");
  } else {
    append_property(xml, "resourcetype", "");
    append_property(xml, "getcontentlength", std::to_string(entry.size));
    append_property(xml, "getcontenttype", "application/octet-stream");
    append_property(xml, "creationdate", format_iso_date(entry.stored));
    append_property(xml, "getlastmodified", format_http_date(entry.stored));
    append_property(xml, "getetag", "\"" + entry.digest + "\"");
  }
  xml.append("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n");
}

}  // namespace

std::optional<Depth> parse_depth(std::string_view text) {
  if (text == "0") return Depth::self;
  if (text == "1") return Depth::children;
  return std::nullopt;
}

std::string render_multistatus(const api::Listing& listing, Depth depth) {
  std::string xml(k_begin);
  api::ListingEntry self;
  self.directory = true;
  append_resource(xml, listing.path, self);
  if (depth == Depth::children) {
    for (const api::ListingEntry& each : listing.entries)
      append_resource(xml, listing.path + each.name + (each.directory ? "/" : ""), each);
  }
  return xml.append(k_end);
}

std::string render_multistatus(std::string_view directory, const api::ListingEntry& artifact) {
  std::string xml(k_begin);
  append_resource(xml, std::string(directory) + artifact.name, artifact);
  return xml.append(k_end);
}

}  // namespace larder::http
