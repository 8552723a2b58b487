#include "server/ftp/listing.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace larder::ftp {
namespace {

struct FactName {
  std::string_view name;
  bool Facts::*chosen;
};
constexpr std::array<FactName, 4> k_facts = {
    {{"type", &Facts::type}, {"size", &Facts::size}, {"modify", &Facts::modify}, {"perm", &Facts::perm}}};

bool same_word(std::string_view one, std::string_view lower) {
  if (one.size() != lower.size()) return false;
  for (std::size_t i = 0; i < one.size(); ++i) {
    const char c = one[i] >= 'A' && one[i] <= 'Z' ? static_cast<char>(one[i] - 'A' + 'a') : one[i];
    if (c != lower[i]) return false;
  }
  return true;
}

void append_name(std::string& out, std::string_view name) {
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F ? '?' : c;
  }
}

std::tm utc(std::int64_t unix_seconds) {
  const std::time_t seconds = unix_seconds;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return parts;
}

// "Nov 25 09:00", or "Nov 25  2025" for what is long ago or still to come.
std::string ls_date(std::int64_t stored, std::int64_t now) {
  constexpr std::int64_t k_half_a_year = 182LL * 24 * 60 * 60;
  constexpr std::array<const char*, 12> k_months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm parts = utc(stored);
  const char* const month = k_months[static_cast<std::size_t>(parts.tm_mon)];
  char text[64];
  if (stored > now - k_half_a_year && stored < now + 24LL * 60 * 60)
    std::snprintf(text, sizeof text, "%s %2d %02d:%02d", month, parts.tm_mday, parts.tm_hour, parts.tm_min);
  else
    std::snprintf(text, sizeof text, "%s %2d %5d", month, parts.tm_mday, parts.tm_year + 1900);
  return text;
}

void append_ls(std::string& out, const api::ListingEntry& entry, const ListStyle& style) {
  char text[128];
  const char* const mode = entry.directory ? (style.may_write ? "drwxrwxr-x" : "dr-xr-xr-x") : "-r--r--r--";
  std::snprintf(text, sizeof text, "%s %3d larder   larder   %12llu ", mode, entry.directory ? 2 : 1,
                static_cast<unsigned long long>(entry.size));
  out += text;
  out += ls_date(entry.stored == 0 ? style.now : entry.stored, style.now);
  out += ' ';
  append_name(out, entry.name);
}

// RFC 3659, section 7.5.5: what could be done with the entry.
std::string_view permissions(bool directory, bool may_write) {
  if (directory) return may_write ? "elcmp" : "el";
  return may_write ? "rdf" : "r";
}

}  // namespace

Facts parse_facts(std::string_view names) {
  Facts facts;
  for (const FactName& each : k_facts) facts.*each.chosen = false;
  while (!names.empty()) {
    const auto end = names.find(';');
    for (const FactName& each : k_facts) {
      if (same_word(names.substr(0, end), each.name)) facts.*each.chosen = true;
    }
    names.remove_prefix(end == std::string_view::npos ? names.size() : end + 1);
  }
  return facts;
}

std::string chosen_facts(const Facts& facts) {
  std::string text;
  for (const FactName& each : k_facts) {
    if (facts.*each.chosen) text.append(each.name).append(";");
  }
  return text;
}

std::string feature_line(const Facts& facts) {
  std::string text;
  for (const FactName& each : k_facts) text.append(each.name).append(facts.*each.chosen ? "*;" : ";");
  return text;
}

void append_entry(std::string& out, const api::ListingEntry& entry, const ListStyle& style) {
  switch (style.format) {
    case ListFormat::names:
      append_name(out, style.prefix);
      append_name(out, entry.name);
      break;
    case ListFormat::unix_ls: append_ls(out, entry, style); break;
    case ListFormat::machines: out += fact_line(entry, style, entry.name); break;
  }
  out += "\r\n";
}

std::string fact_line(const api::ListingEntry& entry, const ListStyle& style, std::string_view name) {
  const Facts& facts = style.facts;
  std::string text;
  if (facts.type) text += entry.directory ? "type=dir;" : "type=file;";
  if (facts.size && !entry.directory) text += "size=" + std::to_string(entry.size) + ";";
  if (facts.modify && entry.stored != 0) text += "modify=" + timestamp(entry.stored) + ";";
  if (facts.perm) text.append("perm=").append(permissions(entry.directory, style.may_write)).append(";");
  text += ' ';
  append_name(text, name);
  return text;
}

std::string timestamp(std::int64_t unix_seconds) {
  const std::tm parts = utc(unix_seconds);
  char text[80];
  std::snprintf(text, sizeof text, "%04d%02d%02d%02d%02d%02d", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

}  // namespace larder::ftp
