// What LIST, NLST, MLSD and MLST say of an entry. Pure text in, text out. A name
// cannot forge a line: control characters are made visible, should one get here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/api.hpp"

namespace larder::ftp {

enum class ListFormat : std::uint8_t {
  names,     // NLST
  unix_ls,   // LIST: as ls -l prints it
  machines,  // MLSD: RFC 3659
};

// Which facts MLST and MLSD tell: OPTS MLST chooses.
struct Facts {
  bool type = true;
  bool size = true;
  bool modify = true;
  bool perm = true;
  bool operator==(const Facts&) const = default;
};
// "type;size;" → those; names we do not know are left out.
Facts parse_facts(std::string_view names);
std::string chosen_facts(const Facts& facts);  // "type;size;modify;perm;"
std::string feature_line(const Facts& facts);  // "type*;size*;modify*;perm*;"

struct ListStyle {
  ListFormat format = ListFormat::unix_ls;
  Facts facts;
  bool may_write = false;
  std::int64_t now =
      0;  // UnixSeconds; LIST shows the year instead of the time of what is older than half of one
  std::string prefix;  // in front of NLST's names, so that they lead there from where the client is
};

// One line with its CRLF.
void append_entry(std::string& out, const api::ListingEntry& entry, const ListStyle& style);
// "type=file;size=3;modify=20261125090041;perm=r; NAME": MLST's line, without an end.
std::string fact_line(const api::ListingEntry& entry, const ListStyle& style, std::string_view name);
// "20261125090041": UTC, as MDTM answers.
std::string timestamp(std::int64_t unix_seconds);

}  // namespace larder::ftp
