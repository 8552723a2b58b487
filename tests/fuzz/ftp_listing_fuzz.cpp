// No name forges a line of a listing, no path leaves the root, no pattern takes for ever.
#include "server/ftp/listing.hpp"

#include "common/glob.hpp"
#include "server/ftp/path.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace larder;
using namespace larder::ftp;
using larder::fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text_of(data, size);
  api::ListingEntry entry;
  entry.size = fuzz::take_number(input, 8);
  entry.stored = static_cast<std::int64_t>(fuzz::take_number(input, 5));
  entry.directory = entry.size % 2 == 0;
  const auto middle = input.find('\0');
  entry.name = input.substr(0, middle);
  const std::string_view other = middle == std::string_view::npos ? input : input.substr(middle + 1);

  ListStyle style;
  style.now = static_cast<std::int64_t>(entry.size >> 24);
  style.prefix = other;
  style.facts = parse_facts(other);
  demand(parse_facts(chosen_facts(style.facts)) == style.facts, "chosen facts can be chosen again");
  for (const ListFormat format : {ListFormat::names, ListFormat::unix_ls, ListFormat::machines}) {
    style.format = format;
    std::string line;
    append_entry(line, entry, style);
    demand(line.ends_with("\r\n"), "an entry is a line");
    demand(line.find_first_of(std::string_view("\r\n\0", 3)) == line.size() - 2, "and only one");
  }

  const std::string path = resolve(resolve("/", other), entry.name);
  demand(path.front() == '/' && (path == "/" || path.back() != '/'), "a path is absolute");
  demand((path + "/").find("/../") == std::string::npos && (path + "/").find("/./") == std::string::npos &&
             path.find("//") == std::string::npos,
         "and plain");
  demand(resolve("/", path) == path, "resolving it again changes nothing");
  const Place place = place_of(path);
  demand(place.kind != Place::Kind::below || place.key().ok(), "what lies below a namespace has a key");
  demand(matches_glob(entry.name, entry.name) || is_glob(entry.name), "a literal pattern matches itself");
  (void)matches_glob(other, entry.name);
  return 0;
}
