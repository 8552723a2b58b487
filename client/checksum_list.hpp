// Files of checksums, as sha256sum(1) writes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/digest.hpp"
#include "common/result.hpp"

namespace larder::client {

struct Checksum {
  std::string name;  // as written, without "./" in front
  Digest digest;
  bool operator==(const Checksum&) const = default;
};

// "HEX  NAME", "HEX *NAME" and "SHA256 (NAME) = HEX" a line; a backslash in front of a line means
// that its name is escaped. Empty lines and those that start with # are passed over.
// invalid_argument names the line that is none of these.
Result<std::vector<Checksum>> parse_checksums(std::string_view text);

}  // namespace larder::client
