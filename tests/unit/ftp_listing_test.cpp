#include "server/ftp/listing.hpp"

#include "tests/support/catch.hpp"

using namespace larder;
using namespace larder::ftp;

namespace {

constexpr std::int64_t k_now = 1'795'597'241;  // 2026-11-25 09:00:41 UTC

api::ListingEntry file(std::string name, std::uint64_t size = 3, std::int64_t stored = k_now - 41) {
  api::ListingEntry entry;
  entry.name = std::move(name);
  entry.size = size;
  entry.stored = stored;
  return entry;
}

api::ListingEntry directory(std::string name) {
  api::ListingEntry entry;
  entry.name = std::move(name);
  entry.directory = true;
  return entry;
}

ListStyle style(ListFormat format) {
  ListStyle style;
  style.format = format;
  style.now = k_now;
  return style;
}

std::string line(const api::ListingEntry& entry, const ListStyle& style) {
  std::string out;
  append_entry(out, entry, style);
  return out;
}

}  // namespace

TEST_CASE("LIST prints what ls prints", "[ftp]") {
  ListStyle ls = style(ListFormat::unix_ls);
  CHECK(line(file("a b"), ls) == "-r--r--r--   1 larder   larder              3 Nov 25 09:00 a b\r\n");
  CHECK(line(file("big", 18'446'744'073'709'551'615U), ls) ==
        "-r--r--r--   1 larder   larder   18446744073709551615 Nov 25 09:00 big\r\n");
  CHECK(line(file("old", 3, 1'000'000'000), ls) ==
        "-r--r--r--   1 larder   larder              3 Sep  9  2001 old\r\n");
  CHECK(line(directory("d"), ls) == "dr-xr-xr-x   2 larder   larder              0 Nov 25 09:00 d\r\n");
  ls.may_write = true;
  CHECK(line(directory("d"), ls).starts_with("drwxrwxr-x "));
}

TEST_CASE("NLST's names lead there from where the client is", "[ftp]") {
  ListStyle names = style(ListFormat::names);
  CHECK(line(file("a"), names) == "a\r\n");
  names.prefix = "sub/";
  CHECK(line(file("a"), names) == "sub/a\r\n");
}

TEST_CASE("MLSD tells facts, those that were chosen", "[ftp]") {
  ListStyle facts = style(ListFormat::machines);
  CHECK(line(file("a b"), facts) == "type=file;size=3;modify=20261125090000;perm=r; a b\r\n");
  CHECK(line(directory("d"), facts) == "type=dir;perm=el; d\r\n");
  facts.may_write = true;
  CHECK(line(file("a"), facts) == "type=file;size=3;modify=20261125090000;perm=rdf; a\r\n");
  CHECK(line(directory("d"), facts) == "type=dir;perm=elcmp; d\r\n");
  facts.facts = parse_facts("size;Type;unix.mode;");
  CHECK(line(file("a"), facts) == "type=file;size=3; a\r\n");
  facts.facts = parse_facts("");
  CHECK(line(file("a"), facts) == " a\r\n");
}

TEST_CASE("facts are chosen by name, in any case and order", "[ftp]") {
  CHECK(chosen_facts(Facts()) == "type;size;modify;perm;");
  CHECK(feature_line(Facts()) == "type*;size*;modify*;perm*;");
  CHECK(chosen_facts(parse_facts("MODIFY;size")) == "size;modify;");
  CHECK(feature_line(parse_facts("modify;")) == "type;size;modify*;perm;");
  CHECK(chosen_facts(parse_facts("nonsense;;;x")).empty());
}

TEST_CASE("a name cannot forge a line of a listing", "[ftp]") {
  for (const ListFormat format : {ListFormat::names, ListFormat::unix_ls, ListFormat::machines}) {
    const std::string forged = line(file("a\r\nb\x1B[2J\x7F"), style(format));
    INFO(forged);
    CHECK(forged.ends_with("a??b?[2J?\r\n"));
    CHECK(forged.find('\n') == forged.size() - 1);
  }
}

TEST_CASE("times are UTC", "[ftp]") {
  CHECK(timestamp(0) == "19700101000000");
  CHECK(timestamp(k_now) == "20261125090041");
}
