// Pages for people: directory listings and the first page. Pure text in, text
// out; names are escaped wherever they appear, since anybody may upload one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/api.hpp"

namespace larder::http {

enum class ListingFormat : std::uint8_t {
  none,  // answer as if no listing existed
  html,
  json,
};

// HTML and JSON are for those who name them. "*/*" gets neither: BitBake's svn
// fetcher would store the listing as a source archive.
ListingFormat choose_listing_format(std::string_view accept);

// Directories first, then by name, byte by byte.
void sort_listing(api::Listing& listing);

// `listing.path` starts and ends with a slash and is not encoded.
std::string render_listing_html(api::Listing listing);

// What the first page tells. `scheme` (http or https) is how the client came, `host`
// what it called this server (its Host header); empty: unknown.
struct RootPage {
  std::string_view scheme;
  std::string_view host;
  std::string_view version;
  std::span<const api::NamespaceStat> namespaces;
};

std::string render_root_html(const RootPage& page);
std::string render_root_text(const RootPage& page);  // the same for curl, as text/plain

// The lines that make a build use one namespace: for local.conf, and for
// Buildroot where that has a use for it. Each ends with a line feed.
std::string usage_lines(const RootPage& page, const api::NamespaceStat& name_space);

}  // namespace larder::http
