#include "server/http/listing.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::http;

namespace {

bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

api::ListingEntry file(std::string name, std::uint64_t size = 0, std::int64_t stored = 0) {
  return {std::move(name), false, size, stored, ""};
}

api::ListingEntry directory(std::string name) {
  return {std::move(name), true, 0, 0, ""};
}

api::NamespaceStat name_space(std::string name, std::string kind) {
  api::NamespaceStat stat;
  stat.name = std::move(name);
  stat.kind = std::move(kind);
  return stat;
}

}  // namespace

TEST_CASE("only who names a format gets a listing", "[listing]") {
  const auto table = std::vector<std::pair<std::string_view, ListingFormat>>{
      {"", ListingFormat::none},
      {"*/*", ListingFormat::none},
      {"text/*", ListingFormat::none},
      {"text/plain", ListingFormat::none},
      {"text/html", ListingFormat::html},
      {"TEXT/HTML", ListingFormat::html},
      {"application/json", ListingFormat::json},
      {"application/xhtml+xml", ListingFormat::html},
      {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ListingFormat::html},
      {"*/*, application/json ; q=0.1", ListingFormat::json},
      {"text/html, application/json", ListingFormat::html},
      {"application/json, text/html", ListingFormat::json},
      {"text/html;q=0.8, application/json;q=0.9", ListingFormat::json},
      {"text/html;q=0.899, application/json;q=0.9", ListingFormat::json},
      {"text/html;q=0.901, application/json;q=0.9", ListingFormat::html},
      {"text/html;level=1;q=0.5, application/json;Q=0.25", ListingFormat::html},
      {"text/html;q=0", ListingFormat::none},
      {"text/html;q=0.000, */*", ListingFormat::none},
      {"text/html;q=1.0", ListingFormat::html},
      {"text/html;q=x", ListingFormat::html},
      {"text/html;q=", ListingFormat::html},
      {"text/html5", ListingFormat::none},
      {"text/html/", ListingFormat::none},
      {",;,;q=1,", ListingFormat::none},
  };
  for (const auto& [accept, format] : table) {
    INFO(accept);
    CHECK(choose_listing_format(accept) == format);
  }
}

TEST_CASE("directories come first, then names byte by byte", "[listing]") {
  api::Listing listing{"/n/", {file("b"), directory("z"), file("B"), directory("a"), file("\xC3\xA4")}};
  sort_listing(listing);
  std::string order;
  for (const auto& entry : listing.entries) order += entry.name + " ";
  CHECK(order == "a z B b \xC3\xA4 ");
}

TEST_CASE("a listing shows names, sizes and times, and leads up and down", "[listing]") {
  const std::string html = render_listing_html(
      {"/sstate-cache/ab/", {file("sstate:zlib+x.tar.zst", 20480, 784111777), directory("cd")}});
  CHECK(holds(html, "<h1>/sstate-cache/ab/</h1>"));
  CHECK(holds(html, "<a href=\"/sstate-cache/\">"));
  CHECK(holds(html, "<a href=\"/sstate-cache/ab/sstate%3Azlib%2Bx.tar.zst\">sstate:zlib+x.tar.zst</a>"));
  CHECK(holds(html, "<a href=\"/sstate-cache/ab/cd/\">cd/</a>"));
  CHECK(holds(html, "20.0 KiB"));
  CHECK(holds(html, "<time datetime=\"1994-11-06T08:49:37Z\">1994-11-06 08:49</time>"));
  CHECK(holds(html, "2 entries"));
  CHECK(html.find("cd/</a>") < html.find("zlib"));
}

TEST_CASE("an empty namespace lists nothing and leads to the first page", "[listing]") {
  const std::string html = render_listing_html({"/n/", {}});
  CHECK(holds(html, "<a href=\"/\">"));
  CHECK(holds(html, "0 entries"));
  CHECK_FALSE(holds(html, "<td>"));
}

TEST_CASE("no name can become markup or leave its link", "[listing]") {
  const std::string hostile = "\"><script>alert('1')</script>&amp;";
  const std::string html =
      render_listing_html({"/n/" + hostile + "/", {file(hostile), directory("javascript:x")}});
  CHECK_FALSE(holds(html, "<script"));
  CHECK_FALSE(holds(html, "\"><s"));
  CHECK_FALSE(holds(html, "'1'"));
  CHECK(holds(html, "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;"));
  CHECK(holds(html, "%22%3E%3Cscript%3Ealert%28%271%27%29%3C/script%3E%26amp%3B"));
  CHECK_FALSE(holds(html, "href=\"javascript"));
}

TEST_CASE("the first page says how to use every namespace", "[listing]") {
  auto cache = name_space("sstate-cache", "sstate");
  cache.artifacts = 1;
  cache.logical_bytes = 34;
  const std::vector<api::NamespaceStat> all = {cache, name_space("downloads", "downloads"),
                                               name_space("x", "generic")};
  const RootPage page{"http", "cache.example:8480", "0.1.0", all};

  const std::string text = render_root_text(page);
  CHECK(holds(
      text,
      "SSTATE_MIRRORS = \"file://.* http://cache.example:8480/sstate-cache/PATH;downloadfilename=PATH\"\n"));
  CHECK(holds(text, "SOURCE_MIRROR_URL = \"http://cache.example:8480/downloads\"\n"));
  CHECK(holds(text, "INHERIT += \"own-mirrors\"\n"));
  CHECK(holds(text, "BR2_PRIMARY_SITE=\"http://cache.example:8480/downloads\"\n"));
  CHECK(holds(text, "http://cache.example:8480/x/"));
  CHECK(holds(text, "sstate, 1 artifact, 34 B"));

  const std::string html = render_root_html(page);
  CHECK(holds(html, "<a href=\"/sstate-cache/\">sstate-cache</a>"));
  CHECK(holds(html, "SSTATE_MIRRORS = &quot;file://.* http://cache.example:8480/sstate-cache/PATH"));
  CHECK(holds(html, "0.1.0"));
}

TEST_CASE("the first page does not trust the Host header", "[listing]") {
  const std::vector<api::NamespaceStat> all = {name_space("n", "sstate")};
  CHECK_FALSE(holds(render_root_html({"http", "<script>", "v", all}), "<script>"));
  CHECK(holds(render_root_text({"http", "", "v", all}), "http://SERVER:8480/n/PATH"));
}

TEST_CASE("who came by https is given lines that do", "[listing]") {
  const std::vector<api::NamespaceStat> all = {name_space("s", "sstate"), name_space("d", "downloads"),
                                               name_space("x", "generic")};
  for (const std::string_view host : {"cache.example:8443", ""}) {
    const RootPage page{"https", host, "v", all};
    const std::string text = render_root_text(page);
    CHECK(holds(text, "file://.* https://"));
    CHECK(holds(text, "SOURCE_MIRROR_URL = \"https://"));
    CHECK(holds(text, "curl -O https://"));
    CHECK_FALSE(holds(text, "http://"));
    CHECK_FALSE(holds(render_root_html(page), "http://"));
  }
}
