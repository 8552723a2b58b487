#include "server/http/listing.hpp"

#include <algorithm>
#include <tuple>

#include "common/namespace_kind.hpp"
#include "common/percent.hpp"
#include "common/units.hpp"
#include "common/words.hpp"
#include "server/http/date.hpp"

namespace larder::http {
namespace {

constexpr std::string_view k_style =
    "<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:72rem;"
    "margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}caption{text-align:left}"
    "th{text-align:left;border-bottom:1px solid}th,td{padding:.15rem 1rem .15rem 0;vertical-align:top}"
    "td:first-child{overflow-wrap:anywhere}.n{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}pre{overflow-x:auto;padding:.5rem;border:1px solid}</style>\n";

std::string escaped(std::string_view text) {
  std::string html;
  html.reserve(text.size() + 16);
  for (const char c : text) {
    switch (c) {
      case '&': html += "&amp;"; break;
      case '<': html += "&lt;"; break;
      case '>': html += "&gt;"; break;
      case '"': html += "&quot;"; break;
      case '\'': html += "&#39;"; break;
      default: html += c;
    }
  }
  return html;
}

std::string page_start(std::string_view title) {
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html += "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" + escaped(title) + "</title>\n";
  html.append(k_style).append("</head>\n<body>\n<main>\n<h1>").append(escaped(title)).append("</h1>\n");
  return html;
}

constexpr std::string_view k_page_end = "</main>\n</body>\n</html>\n";

std::string link(std::string_view path, std::string_view text) {
  return "<a href=\"" + percent_encode(path) + "\">" + escaped(text) + "</a>";
}

std::string parent_of(std::string_view path) {
  path.remove_suffix(1);
  return std::string(path.substr(0, path.rfind('/') + 1));
}

std::string row(std::string_view directory, const api::ListingEntry& entry) {
  const std::string name = entry.directory ? entry.name + "/" : entry.name;
  std::string html = "<tr><td>" + link(std::string(directory) + name, name) + "</td>";
  if (entry.directory) return html + "<td></td><td></td></tr>\n";
  const std::string time = format_iso_date(entry.stored);
  html += "<td class=\"n\">" + human_size(entry.size) + "</td>";
  html += "<td class=\"n\"><time datetime=\"" + time + "\">";
  html.append(time, 0, 10).append(" ").append(time, 11, 5).append("</time></td></tr>\n");
  return html;
}

std::string counted(std::size_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// Takes what stands before the next separator.
std::string_view take_part(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const std::string_view part = trimmed(text.substr(0, end));
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

// Thousandths; a weight that cannot be read counts as 1.
int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string parameter = lower(take_part(parameters, ';'));
    if (!parameter.starts_with("q=") || parameter.size() < 3) continue;
    if (parameter[2] != '0') return 1000;
    int weight = 0;
    int unit = 100;
    for (std::size_t i = 4; i < std::min<std::size_t>(parameter.size(), 7); ++i, unit /= 10) {
      if (parameter[i] < '0' || parameter[i] > '9') break;
      weight += unit * (parameter[i] - '0');
    }
    return weight;
  }
  return 1000;
}

ListingFormat format_of(std::string_view media_type) {
  const std::string type = lower(media_type);
  if (type == "text/html" || type == "application/xhtml+xml") return ListingFormat::html;
  if (type == "application/json") return ListingFormat::json;
  return ListingFormat::none;
}

std::string server_url(const RootPage& page) {
  const std::string scheme(page.scheme);
  if (!page.host.empty()) return scheme + "://" + std::string(page.host);
  return scheme + (page.scheme == "https" ? "://SERVER:8443" : "://SERVER:8480");
}

std::string summary(const api::NamespaceStat& stat) {
  return stat.kind + ", " + counted(stat.artifacts, "artifact", "artifacts") + ", " +
         human_size(stat.logical_bytes);
}

}  // namespace

ListingFormat choose_listing_format(std::string_view accept) {
  ListingFormat best = ListingFormat::none;
  int best_weight = 0;
  while (!accept.empty()) {
    std::string_view parameters = take_part(accept, ',');
    const ListingFormat format = format_of(take_part(parameters, ';'));
    const int weight = weight_of(parameters);
    if (format == ListingFormat::none || weight <= best_weight) continue;
    best = format;
    best_weight = weight;
  }
  return best;
}

void sort_listing(api::Listing& listing) {
  std::sort(listing.entries.begin(), listing.entries.end(),
            [](const api::ListingEntry& a, const api::ListingEntry& b) {
              return std::tuple(!a.directory, std::string_view(a.name)) <
                     std::tuple(!b.directory, std::string_view(b.name));
            });
}

std::string render_listing_html(api::Listing listing) {
  sort_listing(listing);
  std::string html = page_start(listing.path);
  html +=
      "<nav>" + link(parent_of(listing.path), "Up to the parent directory") + "</nav>\n<table>\n<caption>";
  html += counted(listing.entries.size(), "entry", "entries") + "</caption>\n";
  html +=
      "<thead><tr><th scope=\"col\">Name</th><th scope=\"col\" class=\"n\">Size</th>"
      "<th scope=\"col\" class=\"n\">Stored (UTC)</th></tr></thead>\n<tbody>\n";
  for (const api::ListingEntry& entry : listing.entries) html += row(listing.path, entry);
  html.append("</tbody>\n</table>\n").append(k_page_end);
  return html;
}

std::string usage_lines(const RootPage& page, const api::NamespaceStat& name_space) {
  const std::string url = server_url(page) + "/" + name_space.name;
  switch (namespace_kind(name_space.kind).value_or(NamespaceKind::generic)) {
    case NamespaceKind::sstate:
      return "# conf/local.conf\nSSTATE_MIRRORS = \"file://.* " + url + "/PATH;downloadfilename=PATH\"\n";
    case NamespaceKind::downloads:
      return "# conf/local.conf\nINHERIT += \"own-mirrors\"\nSOURCE_MIRROR_URL = \"" + url +
             "\"\n# Buildroot\nBR2_PRIMARY_SITE=\"" + url + "\"\n";
    case NamespaceKind::generic: break;
  }
  return "curl -O " + url + "/NAME\n";
}

std::string render_root_html(const RootPage& page) {
  std::string html = page_start("larder");
  html += "<p>A cache for builds of embedded Linux, version " + escaped(page.version) + ".</p>\n";
  for (const api::NamespaceStat& each : page.namespaces) {
    html +=
        "<h2>" + link("/" + each.name + "/", each.name) + "</h2>\n<p>" + escaped(summary(each)) + "</p>\n";
    html += "<pre><code>" + escaped(usage_lines(page, each)) + "</code></pre>\n";
  }
  html += "<p>" + link(api::k_stat, "Figures") + ", " + link(api::k_metrics, "metrics") + ", " +
          link(api::k_health, "health") + "</p>\n";
  return html.append(k_page_end);
}

std::string render_root_text(const RootPage& page) {
  std::string text = "larder " + std::string(page.version) + "\n";
  for (const api::NamespaceStat& each : page.namespaces) {
    text += "\n/" + each.name + "/  " + summary(each) + "\n\n" + usage_lines(page, each);
  }
  return text;
}

}  // namespace larder::http
